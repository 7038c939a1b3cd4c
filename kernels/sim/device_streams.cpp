// Streams and events: who does the work, when, and in which order.
#include <algorithm>
#include <utility>

#include <iskra/kernels/sim/device_state.h>
#include <iskra/kernels/sim/fiber.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

using device::ErrorCode;

// The streams that null stands for: one of each device.
struct OwnStreams {
  uint64_t generation = 0;
  std::map<int, std::shared_ptr<StreamState>> of_device;
  ~OwnStreams() {
    if (of_device.empty()) return;
    Runtime& all = Runtime::get();
    std::lock_guard lock(all.mutex);
    for (auto& [device, stream] : of_device) stream->alive = false;
    of_device.clear();
    all.prune();
  }
};

std::shared_ptr<StreamState> own_stream(Runtime& all, int device) {
  thread_local OwnStreams own;
  if (own.generation != all.generation) own.of_device.clear();
  own.generation = all.generation;
  auto& stream = own.of_device[device];
  if (stream == nullptr) {
    stream = std::make_shared<StreamState>(device);
    all.streams[stream.get()] = stream;
  }
  return stream;
}

// To ThreadSanitizer, this OS thread is the stream.
class AsStream {
 public:
  explicit AsStream(const StreamState& stream) : host_(tsan_current_fiber()) {
    if (host_ == nullptr) return;
    const char* beginning = beginning_of_thread();
    tsan_switch_fiber(stream.tsan_fiber);
    tsan_acquire(beginning);
  }
  ~AsStream() {
    if (host_ != nullptr) tsan_switch_fiber(host_);
  }
  AsStream(const AsStream&) = delete;
  AsStream& operator=(const AsStream&) = delete;

 private:
  void* host_;
};

// The text of what it throws.
std::string failure_of(Operation& operation) {
  try {
    operation.run();
  } catch (const std::exception& e) {
    TsanIgnore ignore;
    return e.what();
  }
  return "";
}

}  // namespace

const char* beginning_of_thread() {
  struct Beginning {
    Beginning() { tsan_release(&object); }
    char object = 0;
  };
  thread_local Beginning beginning;
  return &beginning.object;
}

StreamState::StreamState(int device_) : device(device_), tsan_fiber(tsan_create_fiber()) {}
StreamState::~StreamState() {
  if (tsan_fiber != nullptr) tsan_destroy_fiber(tsan_fiber);
}

std::shared_ptr<StreamState> Runtime::stream(device::Stream handle, const char* what) {
  if (handle == nullptr) {
    require_device(selected_device(), what);
    return own_stream(*this, selected_device());
  }
  auto found = streams.find(handle);
  if (found == streams.end() || !found->second->alive) {
    refuse(ErrorCode::invalid_argument, what, address_of(handle) + " is no stream; was it destroyed?");
  }
  return found->second;
}

EventState& Runtime::event(device::Event handle, const char* what) {
  auto found = events.find(handle);
  if (found == events.end()) {
    refuse(ErrorCode::invalid_argument, what, address_of(handle) + " is no event; was it destroyed?");
  }
  return *found->second;
}

void Runtime::prune() {
  std::erase_if(streams, [](const auto& s) { return !s.second->alive && s.second->waiting.empty(); });
}

bool Runtime::someone_reads(const char* begin, const char* end) const {
  for (const auto& [handle, s] : streams) {
    for (const auto& work : s->waiting) {
      if (work->operation != nullptr && work->operation->reads_host(begin, end)) return true;
    }
  }
  return false;
}

void Runtime::put(Lock& lock, const std::shared_ptr<StreamState>& stream, std::unique_ptr<Work> work) {
  Operation* operation = work->operation.get();
  tsan_release(&work->enqueued);
  stream->waiting.push_back(std::move(work));
  ++stream->enqueued;
  if (mode == StreamMode::lazy) {
    if (operation != nullptr) operation->undefine_host();
    return;
  }
  run_until(lock, stream, stream->enqueued);
  if (mode == StreamMode::blocking) tsan_acquire(&stream->finished);
  check_failure(stream->device);
}

void Runtime::enqueue(Lock& lock, const std::shared_ptr<StreamState>& stream,
                      std::shared_ptr<Operation> operation) {
  check_failure(stream->device);
  if (stream->capture != nullptr) {
    Capture& capture = *stream->capture;
    capture.nodes.push_back({std::move(operation), stream->last});
    stream->last = {capture.nodes.size() - 1};
    return;
  }
  auto work = std::make_unique<Work>();
  work->operation = std::move(operation);
  put(lock, stream, std::move(work));
}

// Goals stand above the goal that needs them. Events stand for work that was enqueued before the wait for
// them, so that no two goals need one another.
void Runtime::run_until(Lock& lock, const std::shared_ptr<StreamState>& stream, uint64_t number,
                        int64_t most) {
  if (stream->done >= number) return;
  struct Goal {
    std::shared_ptr<StreamState> stream;
    uint64_t number;
  };
  std::vector<Goal> goals{{stream, number}};
  OpenMemory open_while_running;
  while (!goals.empty()) {
    Goal goal = goals.back();
    StreamState& s = *goal.stream;
    if (s.done >= goal.number) {
      goals.pop_back();
      continue;
    }
    if (most == 0) break;
    if (s.busy) {
      if (most > 0) break;
      changed.wait(lock);
      continue;
    }
    if (s.waiting.empty()) break;  // reset_devices() meanwhile
    const auto& awaited = s.waiting.front()->awaits;
    if (awaited != nullptr && awaited->stream->done < awaited->number && awaited->stream != goal.stream) {
      goals.push_back({awaited->stream, awaited->number});
      continue;
    }
    run_front(lock, s);
    if (most > 0) --most;
  }
  prune();
}

void Runtime::run_front(Lock& lock, StreamState& s) {
  std::unique_ptr<Work> work = std::move(s.waiting.front());
  s.waiting.pop_front();
  s.busy = true;
  DeviceState& on = *devices[static_cast<size_t>(s.device)];
  bool skip = work->operation == nullptr || !on.failure.empty();
  std::string failure = skip ? "" : work->operation->problem();
  bool on_host = !skip && work->operation->is_of_the_host();
  if (on_host) close_memory();
  lock.unlock();
  {
    AsStream as_stream(s);
    tsan_acquire(&work->enqueued);
    if (work->awaits != nullptr) tsan_acquire(&work->awaits->done);
    if (!skip && failure.empty()) failure = failure_of(*work->operation);
    if (work->records != nullptr) tsan_release(&work->records->done);
    tsan_release(&s.finished);
    tsan_release(&on.finished);
  }
  lock.lock();
  if (on_host) open_memory();
  if (work->records != nullptr) work->records->when = std::chrono::steady_clock::now();
  {
    TsanIgnore ignore;  // the stream's accesses to it are not this thread's
    work.reset();
  }
  if (!failure.empty() && on.failure.empty()) on.failure = failure;
  ++s.done;
  s.busy = false;
  changed.notify_all();
}

}  // namespace iskra::sim

namespace iskra::device {

using sim::EventState;
using sim::refuse;
using sim::Runtime;
using sim::StreamState;

Stream create_stream() {
  constexpr const char* kWhat = "create_stream";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  all.require_device(sim::selected_device(), kWhat);
  all.check_failure(sim::selected_device());
  auto stream = std::make_shared<StreamState>(sim::selected_device());
  all.streams[stream.get()] = stream;
  return reinterpret_cast<Stream>(stream.get());
}

void destroy(Stream stream) {
  constexpr const char* kWhat = "destroy(Stream)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  if (stream == kOwnStream)
    refuse(ErrorCode::invalid_argument, kWhat, "a thread's own stream is not to be destroyed");
  auto state = all.stream(stream, kWhat);
  all.refuse_in_capture(*state, kWhat);
  state->alive = false;
  all.prune();
}

void synchronize(Stream stream) {
  constexpr const char* kWhat = "synchronize(Stream)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.refuse_in_capture(*state, kWhat);
  all.run_until(lock, state, state->enqueued);
  sim::tsan_acquire(&state->finished);
  all.check_failure(state->device);
}

bool query(Stream stream) {
  constexpr const char* kWhat = "query(Stream)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto state = all.stream(stream, kWhat);
  all.refuse_in_capture(*state, kWhat);
  all.check_failure(state->device);
  bool done = state->done >= state->enqueued;
  if (done) sim::tsan_acquire(&state->finished);
  if (!done) all.run_until(lock, state, state->enqueued, 1);
  return done;
}

void synchronize() {
  constexpr const char* kWhat = "synchronize";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  int device = sim::selected_device();
  all.require_device(device, kWhat);
  std::vector<std::shared_ptr<StreamState>> streams;
  for (auto& [handle, s] : all.streams) {
    if (s->device == device) streams.push_back(s);
  }
  for (auto& s : streams) all.refuse_in_capture(*s, kWhat);
  for (auto& s : streams) all.run_until(lock, s, s->enqueued);
  sim::tsan_acquire(&all.devices[static_cast<size_t>(device)]->finished);
  all.check_failure(device);
}

// --- events

Event create_event(bool timed) {
  constexpr const char* kWhat = "create_event";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  all.require_device(sim::selected_device(), kWhat);
  auto event = std::make_unique<EventState>();
  event->device = sim::selected_device();
  event->timed = timed;
  auto handle = reinterpret_cast<Event>(event.get());
  all.events[handle] = std::move(event);
  return handle;
}

void destroy(Event event) {
  Runtime& all = Runtime::get();
  auto lock = all.enter("destroy(Event)");
  all.event(event, "destroy(Event)");
  all.events.erase(event);
}

void record(Event event, Stream stream) {
  constexpr const char* kWhat = "record";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  EventState& e = all.event(event, kWhat);
  auto state = all.stream(stream, kWhat);
  if (e.device != state->device) {
    refuse(ErrorCode::invalid_argument, kWhat,
           "the event is of device " + std::to_string(e.device) + " and the stream of device " +
               std::to_string(state->device) + "; create it with the stream's device selected");
  }
  all.check_failure(state->device);
  e.capture = state->capture;
  e.after = state->last;
  e.record = nullptr;
  if (state->capture != nullptr) return;
  e.record = std::make_shared<sim::Record>();
  e.record->stream = state;
  e.record->number = state->enqueued + 1;
  auto work = std::make_unique<sim::Work>();
  work->records = e.record;
  all.put(lock, state, std::move(work));
}

void wait(Stream stream, Event event) {
  constexpr const char* kWhat = "wait";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  EventState& e = all.event(event, kWhat);
  auto state = all.stream(stream, kWhat);
  all.check_failure(state->device);
  if (e.capture != nullptr || state->capture != nullptr) {
    Runtime::wait_captured(state, e);
    return;
  }
  if (e.record == nullptr) return;
  auto work = std::make_unique<sim::Work>();
  work->awaits = e.record;
  all.put(lock, state, std::move(work));
}

namespace {

// The record that a host's thread asks for; null when there is none.
std::shared_ptr<sim::Record> asked_for(Runtime& all, Event event, const char* what) {
  EventState& e = all.event(event, what);
  if (e.capture != nullptr) {
    std::string why = "the event was recorded in a capture, which is no work to wait for";
    if (!e.capture->ended) Runtime::lose(*e.capture, std::string(what) + ": " + why);
    refuse(ErrorCode::not_permitted_in_capture, what, why + "; record it again");
  }
  return e.record;
}

}  // namespace

void synchronize(Event event) {
  constexpr const char* kWhat = "synchronize(Event)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto record = asked_for(all, event, kWhat);
  if (record == nullptr) return;
  all.run_until(lock, record->stream, record->number);
  sim::tsan_acquire(&record->done);
  all.check_failure(record->stream->device);
}

bool query(Event event) {
  constexpr const char* kWhat = "query(Event)";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  auto record = asked_for(all, event, kWhat);
  if (record == nullptr) return true;
  all.check_failure(record->stream->device);
  bool done = record->stream->done >= record->number;
  if (done) sim::tsan_acquire(&record->done);
  if (!done) all.run_until(lock, record->stream, record->number, 1);
  return done;
}

float elapsed(Event from, Event to) {
  constexpr const char* kWhat = "elapsed";
  Runtime& all = Runtime::get();
  auto lock = all.enter(kWhat);
  std::shared_ptr<sim::Record> ends[2];
  for (int i = 0; i < 2; ++i) {
    Event event = i == 0 ? from : to;
    if (!all.event(event, kWhat).timed)
      refuse(ErrorCode::invalid_argument, kWhat, "the event is not timed; create_event(true)");
    ends[i] = asked_for(all, event, kWhat);
    if (ends[i] == nullptr || ends[i]->stream->done < ends[i]->number)
      refuse(ErrorCode::invalid_argument, kWhat, "the event is not done; synchronize(event) first");
  }
  return std::chrono::duration<float, std::milli>(ends[1]->when - ends[0]->when).count();
}

}  // namespace iskra::device
