#include <iskra/core/stream.h>

#include <map>
#include <mutex>
#include <vector>

#include <iskra/core/on_device.h>
#include <iskra/core/tensor_impl.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/device_api.h>

namespace iskra {

namespace detail {

struct StreamState {
  explicit StreamState(Device on) : device(on) {
    if (on.is_cuda()) handle = on_device(on, "making a stream", [] { return device::create_stream(); });
  }
  ~StreamState() {
    if (handle == nullptr) return;
    try {
      device::destroy(handle);
    } catch (
        const device::DeviceError&) {  // NOLINT(bugprone-empty-catch): the device is gone, and it with it
    }
  }
  StreamState(const StreamState&) = delete;
  StreamState& operator=(const StreamState&) = delete;

  Device device;
  device::Stream handle = nullptr;
};

struct EventState {
  EventState(Device on, device::Event made) : device(on), handle(made) {}
  ~EventState() {
    if (handle == nullptr) return;
    try {
      device::destroy(handle);
    } catch (const device::DeviceError&) {  // NOLINT(bugprone-empty-catch): as above
    }
  }
  EventState(const EventState&) = delete;
  EventState& operator=(const EventState&) = delete;

  Device device;
  device::Event handle;
};

namespace {

using StatePointer = std::shared_ptr<StreamState>;

// Never destroyed: tensors with static storage duration may outlive them.
StatePointer main_state(Device device) {
  static auto* mutex = new std::mutex;
  static auto* streams = new std::map<int, StatePointer>;
  std::lock_guard lock(*mutex);
  StatePointer& stream = (*streams)[device.is_cpu() ? -1 : device.index()];
  if (!stream) stream = std::make_shared<StreamState>(device);
  return stream;
}

// What StreamScopes of this thread say, by device.
std::map<int, StatePointer>& scoped_streams() {
  thread_local std::map<int, StatePointer> streams;
  return streams;
}

}  // namespace

void* current_stream_handle(int index) {
  const auto& scoped = scoped_streams();
  if (!scoped.empty()) {
    if (auto found = scoped.find(index); found != scoped.end()) return found->second->handle;
  }
  thread_local std::vector<StatePointer> mains;  // without the lock
  const auto place = static_cast<size_t>(index);
  if (place >= mains.size()) mains.resize(place + 1);
  if (!mains[place]) mains[place] = main_state(Device::cuda(index));
  return mains[place]->handle;
}

}  // namespace detail

using detail::on_device;

Stream::Stream(Device device) : state_(std::make_shared<detail::StreamState>(device)) {}

Stream Stream::main(Device device) { return Stream(detail::main_state(device)); }

Device Stream::device() const { return state_->device; }
void* Stream::handle() const { return state_->handle; }

void Stream::synchronize() const {
  if (state_->handle == nullptr) return;
  on_device(device(), "waiting for a stream", [&] { device::synchronize(state_->handle); });
}

bool Stream::done() const {
  if (state_->handle == nullptr) return true;
  return on_device(device(), "asking a stream", [&] { return device::query(state_->handle); });
}

Stream current_stream(Device device) {
  if (device.is_cuda()) {
    const auto& scoped = detail::scoped_streams();
    if (auto found = scoped.find(device.index()); found != scoped.end()) return Stream(found->second);
  }
  return Stream::main(device);
}

StreamScope::StreamScope(const Stream& stream) : stream_(stream), before_(current_stream(stream.device())) {
  if (stream.device().is_cpu()) return;
  auto& scoped = detail::scoped_streams();
  scoped.insert_or_assign(stream.device().index(), stream.state_);
}

StreamScope::~StreamScope() {
  const Device device = stream_.device();
  if (device.is_cpu()) return;
  detail::scoped_streams().insert_or_assign(device.index(), before_.state_);
  if (before_ == Stream::main(device)) detail::scoped_streams().erase(device.index());
}

Event::Event(const Stream& stream) {
  if (stream.device().is_cpu()) return;
  on_device(stream.device(), "recording an event", [&] {
    auto handle = device::create_event();
    state_ = std::make_shared<detail::EventState>(stream.device(), handle);
    device::record(handle, static_cast<device::Stream>(stream.handle()));
  });
}

void Event::wait_in(const Stream& stream) const {
  if (!state_) return;
  if (stream.device().is_cpu()) {
    synchronize();
    return;
  }
  on_device(stream.device(), "waiting for an event",
            [&] { device::wait(static_cast<device::Stream>(stream.handle()), state_->handle); });
}

void Event::synchronize() const {
  if (!state_) return;
  on_device(state_->device, "waiting for an event", [&] { device::synchronize(state_->handle); });
}

bool Event::done() const {
  if (!state_) return true;
  return on_device(state_->device, "asking an event", [&] { return device::query(state_->handle); });
}

void use_in(const Tensor& x, const Stream& stream) {
  ISKRA_CHECK(x.defined(), "use_in: the tensor is undefined");
  ISKRA_CHECK(x.device() == stream.device(), "use_in: the tensor is on ", x.device(), ", the stream on ",
              stream.device());
  if (x.device().is_cpu()) return;
  detail::note_use(x.device(), x.impl()->storage->data, stream.handle());
}

}  // namespace iskra
