// Streams and events of the device API: right programs in both modes, and programs that forget to wait.
#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "device_run.h"

namespace iskra::testing {
namespace {

using DeviceStreams = Device;

std::vector<int> counted(size_t n, int from = 0) {
  std::vector<int> x(n);
  std::iota(x.begin(), x.end(), from);
  return x;
}

TEST_F(DeviceStreams, WorkIsDoneInOrder) {
  in_both_modes([] {
    for (size_t n : {1, 33, 64, 1000}) {
      OwnStream stream;
      Numbers<int> x(counted(n), stream), y(n);
      add(x, 3, stream);
      times(x, 2, stream);
      device::copy_on_device(y.p, x.p, x.bytes(), stream);
      add(x, 100, stream);
      std::vector<int> expected(n);
      for (size_t i = 0; i < n; ++i) expected[i] = (static_cast<int>(i) + 3) * 2;
      EXPECT_EQ(y.read(stream), expected);
      device::fill_bytes(y.p, 0x01, y.bytes() - 1, stream);
      device::fill_bytes(reinterpret_cast<char*>(y.p) + y.bytes() - 1, 0x02, 1, stream);
      EXPECT_EQ(y.read(stream).back(), 0x02010101);
    }
  });
}

TEST_F(DeviceStreams, NothingIsCopiedOfNothing) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> none(0);
    EXPECT_EQ(none.p, nullptr);
    device::copy_to_device(none.p, nullptr, 0, stream);
    device::copy_to_host(nullptr, none.p, 0, stream);
    device::copy_on_device(none.p, none.p, 0, stream);
    device::fill_bytes(none.p, 0, 0, stream);
    device::synchronize(stream);
    device::synchronize();
  });
}

TEST_F(DeviceStreams, EagerStreamsDoWorkAtOnceAndLazyOnesWhenItIsWaitedFor) {
  Flag flag{0};
  OwnStream stream;
  device::call_on_host(stream, set_flag, &flag);
  EXPECT_TRUE(device::query(stream));
  EXPECT_EQ(flag, 1);
  flag = 0;
  sim::set_stream_mode(sim::StreamMode::lazy);
  device::call_on_host(stream, set_flag, &flag);
  EXPECT_EQ(flag, 0);
  device::synchronize(stream);
  EXPECT_EQ(flag, 1);
}

TEST_F(DeviceStreams, LazyStreamsDoNoMoreThanIsWaitedFor) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  OwnStream a, b;
  OwnEvent event;
  Flag before{0}, after{0}, other{0};
  device::call_on_host(a, set_flag, &before);
  device::record(event, a);
  device::call_on_host(a, set_flag, &after);
  device::call_on_host(b, set_flag, &other);
  device::synchronize(event);
  EXPECT_EQ(before, 1);
  EXPECT_EQ(after, 0);
  device::synchronize(a);
  EXPECT_EQ(after, 1);
  EXPECT_EQ(other, 0);
  device::synchronize();
  EXPECT_EQ(other, 1);
}

TEST_F(DeviceStreams, ArgumentsAreTakenWhenALaunchIsEnqueued) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x({0, 0}, stream);
    for (int value = 1; value < 4; ++value) add(x, value, stream);
    EXPECT_EQ(x.read(stream), (std::vector<int>{6, 6}));
  });
}

TEST_F(DeviceStreams, QueriesEndThoughNothingElseIsWaitedFor) {
  in_both_modes([] {
    OwnStream a, b;
    OwnEvent event, later;
    Numbers<int> x({1}, a);
    device::synchronize(a);
    for (int i = 0; i < 20; ++i) add(x, 1, a);
    device::record(event, a);
    device::wait(b, event);
    times(x, 2, b);
    device::record(later, b);
    int polls = 0;
    while (!device::query(later)) ++polls;
    EXPECT_EQ(polls, sim::stream_mode() == sim::StreamMode::lazy ? 24 : 0)
        << "20 kernels, 2 records, a wait, a kernel";
    EXPECT_TRUE(device::query(event));
    EXPECT_TRUE(device::query(b));
    add(x, 0, b);
    for (polls = 0; !device::query(b);) ++polls;
    EXPECT_EQ(polls, sim::stream_mode() == sim::StreamMode::lazy ? 1 : 0);
    EXPECT_EQ(x.read(b), std::vector<int>{42});
  });
}

// --- events

TEST_F(DeviceStreams, EventsOrderStreams) {
  in_both_modes([] {
    OwnStream a, b;
    OwnEvent there, back;
    Numbers<int> x(counted(100), a), y(100);
    add(x, 5, a);
    device::record(there, a);
    device::wait(b, there);
    copy_by_kernel(y, x, b);
    device::record(back, b);
    device::wait(a, back);
    times(x, 0, a);
    EXPECT_EQ(y.read(b), counted(100, 5));
    EXPECT_EQ(x.read(a), std::vector<int>(100));
  });
}

TEST_F(DeviceStreams, AThousandEventsBackAndForth) {
  in_both_modes([] {
    constexpr int kTimes = 1000;
    OwnStream streams[2];
    OwnEvent event;
    Numbers<int> x({0}, streams[0]);
    device::record(event, streams[0]);
    for (int i = 0; i < kTimes; ++i) {
      device::Stream stream = streams[(i + 1) % 2];
      device::wait(stream, event);
      add(x, 1, stream);
      device::record(event, stream);
    }
    device::wait(streams[1], event);
    EXPECT_EQ(x.read(streams[1]), std::vector<int>{kTimes});
  });
}

TEST_F(DeviceStreams, AnEventThatWasNeverRecordedIsDone) {
  in_both_modes([] {
    OwnStream stream;
    OwnEvent event;
    EXPECT_TRUE(device::query(event));
    device::synchronize(event);
    device::wait(stream, event);
    device::synchronize(stream);
  });
}

TEST_F(DeviceStreams, RecordingAgainMovesAnEventButNotThoseWhoWaitAlready) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  OwnStream a, b, c;
  OwnEvent event;
  Flag first{0}, second{0}, waited{0};
  device::call_on_host(a, set_flag, &first);
  device::record(event, a);
  device::wait(c, event);
  device::call_on_host(c, set_flag, &waited);
  device::call_on_host(b, set_flag, &second);
  device::record(event, b);
  device::synchronize(event);
  EXPECT_EQ(second, 1);
  EXPECT_EQ(first, 0);
  device::synchronize(c);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(waited, 1);
}

TEST_F(DeviceStreams, DestroyedStreamsAndEventsStillDoTheirWork) {
  in_both_modes([] {
    Numbers<int> x({1, 2, 3}, nullptr);
    device::synchronize(device::kOwnStream);
    OwnStream reader;
    Flag flag{0};
    {
      OwnStream stream;
      OwnEvent event;
      add(x, 10, stream);
      device::record(event, stream);
      device::wait(reader, event);
      device::call_on_host(stream, set_flag, &flag);
    }
    EXPECT_EQ(x.read(reader), (std::vector<int>{11, 12, 13}));
    device::synchronize();
    EXPECT_EQ(flag, 1);
  });
}

TEST_F(DeviceStreams, TimedEventsMeasure) {
  in_both_modes([] {
    OwnStream stream;
    OwnEvent from(true), to(true), untimed;
    device::record(from, stream);
    device::record(to, stream);
    device::record(untimed, stream);
    if (sim::stream_mode() == sim::StreamMode::lazy)
      EXPECT_REFUSED(invalid_argument, "not done", device::elapsed(from, to));
    device::synchronize(stream);
    EXPECT_GE(device::elapsed(from, to), 0.0F);
    EXPECT_REFUSED(invalid_argument, "not timed", device::elapsed(from, untimed));
  });
}

// --- the host's memory

TEST_F(DeviceStreams, PageableMemoryIsReadAndWrittenBeforeACopyReturns) {
  in_both_modes([] {
    OwnStream stream;
    std::vector<int> host = {1, 2, 3};
    Numbers<int> x(host, stream);
    host = {7, 7, 7};
    add(x, 1, stream);
    device::copy_to_host(host.data(), x.p, x.bytes(), stream);
    EXPECT_EQ(host, (std::vector<int>{2, 3, 4}));
  });
}

TEST_F(DeviceStreams, PinnedMemoryGoesToTheDeviceAndBack) {
  in_both_modes([] {
    OwnStream stream;
    Pinned<int> in(100), out(100);
    std::iota(in.p, in.p + 100, 0);
    Numbers<int> x(100);
    device::copy_to_device(x.p, in.p, x.bytes(), stream);
    add(x, 1, stream);
    device::copy_to_host(out.p, x.p, x.bytes(), stream);
    device::synchronize(stream);
    EXPECT_EQ(out.read(), counted(100, 1));
    // A later copy over what an earlier one has still to read: the stream's order is enough.
    device::copy_to_device(x.p, out.p, x.bytes(), stream);
    add(x, 1, stream);
    device::copy_to_host(out.p, x.p, x.bytes(), stream);
    device::synchronize(stream);
    EXPECT_EQ(out.read(), counted(100, 2));
  });
}

TEST_F(DeviceStreams, AMissingEventBetweenStreamsIsCaught) {
  expect_caught([] {
    OwnStream a, b;
    Numbers<int> x(counted(10), a);
    device::synchronize(a);
    add(x, 5, a);
    add(x, 100, b);
    return x.read(b) == counted(10, 105);
  });
}

TEST_F(DeviceStreams, AMissingSynchronizeBeforeReadingTheResultIsCaught) {
  expect_caught([] {
    OwnStream stream;
    Numbers<int> x(counted(10), stream);
    Pinned<int> out(10);
    std::iota(out.p, out.p + 10, 0);  // as if it had been there before
    device::copy_to_host(out.p, x.p, x.bytes(), stream);
    bool right = out.read() == counted(10);
    if (!right) {
      EXPECT_EQ(out.p[3], -1) << "undefined until the copy is done";
    }
    device::synchronize(stream);
    EXPECT_EQ(out.read(), counted(10));
    return right;
  });
}

TEST_F(DeviceStreams, APinnedSourceThatIsOverwrittenTooEarlyIsCaught) {
  expect_caught([] {
    OwnStream stream;
    Pinned<int> in(10);
    std::iota(in.p, in.p + 10, 0);
    Numbers<int> x(10);
    device::copy_to_device(x.p, in.p, x.bytes(), stream);
    std::iota(in.p, in.p + 10, 1000);
    return x.read(stream) == counted(10);
  });
}

// --- threads of the host

void work_of_a_thread(device::Stream stream) {
  Numbers<int> x(counted(65), stream);
  Pinned<int> out(65);
  for (int i = 0; i < 25; ++i) {
    add(x, 1, stream);
    device::copy_to_host(out.p, x.p, x.bytes(), stream);
    device::synchronize(stream);
    ASSERT_EQ(out.read(), counted(65, i + 1));
  }
}

TEST_F(DeviceStreams, ThreadsOfTheHostWorkSideBySide) {
  in_both_modes([] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([i] {
        if (i % 2 == 0) return work_of_a_thread(nullptr);
        OwnStream stream;
        work_of_a_thread(stream);
      });
    }
    for (auto& t : threads) t.join();
  });
}

TEST_F(DeviceStreams, OneStreamServesSeveralThreads) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x(std::vector<int>(40), stream);
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < 25; ++k) {
          add(x, 1, stream);
          if (k % 5 == 0) device::synchronize(stream);
        }
      });
    }
    for (auto& t : threads) t.join();
    EXPECT_EQ(x.read(stream), std::vector<int>(40, 100));
  });
}

TEST_F(DeviceStreams, NullIsAStreamOfTheThreadsOwn) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  Flag flag{0};
  device::call_on_host(nullptr, set_flag, &flag);
  std::thread([&] {
    Flag own{0};
    device::call_on_host(nullptr, set_flag, &own);
    device::synchronize(device::kOwnStream);
    EXPECT_EQ(own, 1);
  }).join();
  EXPECT_EQ(flag, 0);
  device::synchronize(device::kOwnStream);
  EXPECT_EQ(flag, 1);
}

std::atomic<int> met{0};
void meet(void*) {
  ++met;
  while (met.load() < 2) std::this_thread::yield();
}

TEST_F(DeviceStreams, HostFunctionsOfTwoThreadsRunSideBySide) {
  in_both_modes([] {
    met = 0;
    auto host = [] {
      OwnStream stream;
      device::call_on_host(stream, meet, nullptr);
      device::synchronize(stream);
    };
    std::thread one(host), two(host);
    one.join();
    two.join();
    EXPECT_EQ(met, 2);
  });
}

struct Turns {
  Flag first_runs{0}, second_ran{0}, second_ran_meanwhile{0};
};

TEST_F(DeviceStreams, TwoThreadsNeverDoWorkOfOneStreamAtOnce) {
  in_both_modes([] {
    Turns turns;
    OwnStream stream;
    auto first = [](void* p) {
      auto& t = *static_cast<Turns*>(p);
      t.first_runs = 1;
      for (int i = 0; i < 2000 && t.second_ran == 0; ++i) std::this_thread::yield();
      t.second_ran_meanwhile = t.second_ran.load();
    };
    auto second = [](void* p) { static_cast<Turns*>(p)->second_ran = 1; };
    std::thread other([&] {
      while (turns.first_runs == 0) std::this_thread::yield();
      device::call_on_host(stream, second, &turns);
      device::synchronize(stream);
    });
    device::call_on_host(stream, first, &turns);
    device::synchronize(stream);
    other.join();
    EXPECT_EQ(turns.second_ran, 1);
    EXPECT_EQ(turns.second_ran_meanwhile, 0);
  });
}

void call_the_api(void* seen) {
  *static_cast<Refusal*>(seen) = refusal_of([] { device::synchronize(device::kOwnStream); });
}

TEST_F(DeviceStreams, HostFunctionsMustNotCallTheApi) {
  in_both_modes([] {
    OwnStream stream;
    Refusal seen;
    device::call_on_host(stream, call_the_api, &seen);
    device::synchronize(stream);
    EXPECT_EQ(seen.code, device::ErrorCode::not_permitted);
  });
}

TEST_F(DeviceStreams, HandlesThatAreGoneAreRefused) {
  device::Stream stream = device::create_stream();
  device::Event event = device::create_event();
  device::destroy(stream);
  device::destroy(event);
  EXPECT_REFUSED(invalid_argument, "is no stream; was it destroyed?", device::synchronize(stream));
  EXPECT_REFUSED(invalid_argument, "is no stream", device::destroy(stream));
  EXPECT_REFUSED(invalid_argument, "is no event; was it destroyed?", device::query(event));
  EXPECT_REFUSED(invalid_argument, "a thread's own stream", device::destroy(device::kOwnStream));
}

}  // namespace
}  // namespace iskra::testing
