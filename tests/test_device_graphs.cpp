// Graphs of the device API: captured once, launched often; and what loses a capture.
#include <gtest/gtest.h>

#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include "device_run.h"

namespace iskra::testing {
namespace {

using device::Graph;

class DeviceGraphs : public Device {
 protected:
  /// The graph of what f(stream) enqueues.
  template <class F>
  static Graph capture(device::Stream stream, F f) {
    device::begin_capture(stream);
    f(stream);
    return device::end_capture(stream);
  }
};

TEST_F(DeviceGraphs, WorkIsRecordedAndDoneByEachLaunch) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x(std::vector<int>{1, 2, 3}, stream);
    device::begin_capture(stream);
    EXPECT_TRUE(device::is_capturing(stream));
    add(x, 1, stream);
    times(x, 2, stream);
    Owned<Graph> graph(device::end_capture(stream));
    EXPECT_FALSE(device::is_capturing(stream));
    EXPECT_EQ(x.read(stream), (std::vector<int>{1, 2, 3}));
    for (int i = 0; i < 3; ++i) device::launch(graph, stream);
    EXPECT_EQ(x.read(stream), (std::vector<int>{22, 30, 38}));
  });
}

TEST_F(DeviceGraphs, AnEmptyGraphAndOneOfTheThreadsOwnStream) {
  in_both_modes([] {
    Numbers<int> x(std::vector<int>(5), nullptr);
    Owned<Graph> nothing(capture(device::kOwnStream, [](auto) {}));
    Owned<Graph> one(capture(device::kOwnStream, [&](auto stream) { add(x, 1, stream); }));
    for (Graph graph : {nothing.handle, one.handle, one.handle, nothing.handle})
      device::launch(graph, nullptr);
    EXPECT_EQ(x.read(nullptr), std::vector<int>(5, 2));
  });
}

TEST_F(DeviceGraphs, PinnedMemoryIsReadAtEachLaunch) {
  in_both_modes([] {
    OwnStream stream;
    Pinned<int> in(4), out(4);
    Numbers<int> x(4);
    Owned<Graph> graph(capture(stream, [&](auto s) {
      device::copy_to_device(x.p, in.p, x.bytes(), s);
      times(x, 3, s);
      device::copy_to_host(out.p, x.p, x.bytes(), s);
    }));
    for (int i = 0; i < 3; ++i) {
      std::fill_n(in.p, 4, i);
      device::launch(graph, stream);
      device::synchronize(stream);
      EXPECT_EQ(out.read(), std::vector<int>(4, 3 * i));
    }
  });
}

TEST_F(DeviceGraphs, EventsPullOtherStreamsIn) {
  in_both_modes([] {
    OwnStream a, b;
    OwnEvent fork, join;
    Numbers<int> x(std::vector<int>{1}, a), y(std::vector<int>{10}, a);
    device::synchronize(a);
    device::begin_capture(a);
    add(x, 1, a);
    device::record(fork, a);
    device::wait(b, fork);
    EXPECT_TRUE(device::is_capturing(b));
    copy_by_kernel(y, x, b);
    device::record(join, b);
    device::wait(a, join);
    times(x, 5, a);
    Owned<Graph> graph(device::end_capture(a));
    EXPECT_FALSE(device::is_capturing(b));
    add(x, 0, b);  // an ordinary stream again
    device::synchronize(b);
    for (int i = 0; i < 2; ++i) device::launch(graph, a);
    EXPECT_EQ(y.read(a), std::vector<int>{11});
    EXPECT_EQ(x.read(a), std::vector<int>{55});
  });
}

TEST_F(DeviceGraphs, AMissingEventBetweenCapturedStreamsIsCaught) {
  sim::set_stream_mode(sim::StreamMode::lazy);
  OwnStream a, b;
  OwnEvent fork, join;
  Numbers<int> x(std::vector<int>{1}, a), y(std::vector<int>{0}, a);
  device::begin_capture(a);
  device::record(fork, a);
  device::wait(b, fork);
  add(x, 1, a);
  copy_by_kernel(y, x, b);  // should wait for the sum
  device::record(join, b);
  device::wait(a, join);
  Owned<Graph> graph(device::end_capture(a));
  device::launch(graph, a);
  EXPECT_NE(y.read(a), std::vector<int>{2});
}

TEST_F(DeviceGraphs, LaunchesOutliveTheirGraph) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x(std::vector<int>(3), stream);
    Graph graph = capture(stream, [&](auto s) { add(x, 2, s); });
    device::launch(graph, stream);
    device::destroy(graph);
    EXPECT_EQ(x.read(stream), std::vector<int>(3, 2));
    EXPECT_REFUSED(invalid_argument, "is no graph; was it destroyed?", device::launch(graph, stream));
    EXPECT_REFUSED(invalid_argument, "is no graph", device::destroy(graph));
  });
}

TEST_F(DeviceGraphs, AGraphCanBeCapturedInAnother) {
  in_both_modes([] {
    OwnStream stream;
    Numbers<int> x(std::vector<int>(3), stream);
    Owned<Graph> inner(capture(stream, [&](auto s) { add(x, 2, s); }));
    Owned<Graph> outer(capture(stream, [&](auto s) {
      device::launch(inner, s);
      times(x, 3, s);
      device::launch(inner, s);
    }));
    device::launch(outer, stream);
    EXPECT_EQ(x.read(stream), std::vector<int>(3, 8));
  });
}

TEST_F(DeviceGraphs, StreamsThatAreNotJoinedAreRefused) {
  OwnStream a, b;
  OwnEvent fork;
  Numbers<int> x(std::vector<int>{1}, a);
  device::synchronize(a);
  device::begin_capture(a);
  device::record(fork, a);
  device::wait(b, fork);
  add(x, 1, b);
  EXPECT_REFUSED(unjoined_capture, "was not joined back", device::end_capture(a));
  EXPECT_FALSE(device::is_capturing(a));
  EXPECT_FALSE(device::is_capturing(b));
  add(x, 1, b);
  EXPECT_EQ(x.read(b), std::vector<int>{2});
}

TEST_F(DeviceGraphs, WhatIsNotPermittedLosesTheCapture) {
  OwnStream stream;
  Numbers<int> x(std::vector<int>{1}, stream);
  OwnEvent before, event;
  device::record(before, stream);
  std::vector<int> host(1);
  struct Case {
    const char* text;
    std::function<void()> call;
  };
  const Case cases[] = {
      {"synchronize(Stream)", [&] { device::synchronize(stream); }},
      {"query(Stream)", [&] { device::query(stream); }},
      {"synchronize;", [&] { device::synchronize(); }},
      {"allocate;", [&] { device::allocate(1); }},
      {"release;", [&] { device::release(x.p); }},
      {"allocate_pinned;", [&] { device::allocate_pinned(1); }},
      {"destroy(Stream)", [&] { device::destroy(device::Stream(stream)); }},
      {"pageable", [&] { device::copy_to_device(x.p, host.data(), 4, stream); }},
      {"pageable", [&] { device::copy_to_host(host.data(), x.p, 4, stream); }},
      {"recorded outside of the capture", [&] { device::wait(stream, before); }},
      {"synchronize(Event)", [&] { device::synchronize(event); }},
      {"query(Event)", [&] { device::query(event); }},
  };
  in_both_modes([&] {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.text);
      device::begin_capture(stream);
      device::record(event, stream);
      EXPECT_REFUSED(not_permitted_in_capture, c.text, c.call());
      add(x, 100, stream);  // recorded in vain
      EXPECT_REFUSED(not_permitted_in_capture, c.text, device::end_capture(stream));
      EXPECT_FALSE(device::is_capturing(stream));
      EXPECT_EQ(x.read(stream), std::vector<int>{1});
    }
  });
}

TEST_F(DeviceGraphs, OtherThreadsMayAllocateDuringACapture) {
  OwnStream stream;
  Numbers<int> x(std::vector<int>{1}, stream);
  device::begin_capture(stream);
  std::thread([] {
    OwnStream own;
    Numbers<int> y(std::vector<int>{5}, own);
    EXPECT_EQ(y.read(own), std::vector<int>{5});
  }).join();
  add(x, 1, stream);
  Owned<Graph> graph(device::end_capture(stream));
  device::launch(graph, stream);
  EXPECT_EQ(x.read(stream), std::vector<int>{2});
}

TEST_F(DeviceGraphs, CapturesBeginAndEndOnceWhereTheyWereBegun) {
  OwnStream a, b;
  OwnEvent event;
  Numbers<int> x(std::vector<int>{1}, a);
  EXPECT_REFUSED(invalid_argument, "the stream is not captured", device::end_capture(a));
  device::begin_capture(a);
  EXPECT_REFUSED(invalid_argument, "captured already", device::begin_capture(a));
  device::record(event, a);
  device::wait(b, event);
  EXPECT_REFUSED(invalid_argument, "another stream or by another thread", device::end_capture(b));
  std::thread([&] {
    EXPECT_REFUSED(invalid_argument, "another stream or by another thread", device::end_capture(a));
  }).join();
  Owned<Graph> graph(device::end_capture(a));
  EXPECT_REFUSED(invalid_argument, "capture that has ended", device::wait(b, event));
  EXPECT_REFUSED(not_permitted_in_capture, "record it again", device::synchronize(event));
  device::record(event, a);
  device::synchronize(event);
}

TEST_F(DeviceGraphs, CapturesDoNotMeet) {
  OwnStream a, b;
  OwnEvent event;
  device::begin_capture(a);
  device::begin_capture(b);
  device::record(event, a);
  EXPECT_REFUSED(not_permitted_in_capture, "another capture", device::wait(b, event));
  EXPECT_REFUSED(not_permitted_in_capture, "another capture", device::end_capture(b));
  Owned<Graph> graph(device::end_capture(a));
}

}  // namespace
}  // namespace iskra::testing
