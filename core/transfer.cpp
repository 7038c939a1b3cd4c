// Copies from one device to another.
#include <cstring>

#include <iskra/core/autograd.h>
#include <iskra/core/launch.h>
#include <iskra/core/on_device.h>
#include <iskra/core/stream.h>
#include <iskra/core/tensor_impl.h>
#include <iskra/kernels/device_api.h>

namespace iskra {

using detail::on_device;

namespace {

device::Stream handle_of(const Stream& stream) { return static_cast<device::Stream>(stream.handle()); }

// Copies beside the host's own work use pinned memory after they return.
void keep_pinned(const Tensor& host, const Stream& stream) {
  const detail::Storage& storage = *host.impl()->storage;
  if (storage.pinned) detail::note_pinned_use(storage.data, stream.device().index(), stream.handle());
}

// The other device's stream waits for this one's work, and this one's later work for the copy.
void between_devices(const Tensor& x, const Tensor& y) {
  const Stream from = current_stream(x.device()), to = current_stream(y.device());
  Event(from).wait_in(to);
  on_device(y.device(), "copying",
            [&] { device::copy_on_device(y.raw_data(), x.raw_data(), x.bytes(), handle_of(to)); });
  Event(to).wait_in(from);
}

// The bytes of dense x into y, which lies in memory in the same order.
void copy_bytes(const Tensor& x, const Tensor& y) {
  if (x.numel() == 0) return;
  if (x.device().is_cpu() && y.device().is_cpu()) {
    std::memcpy(y.raw_data(), x.raw_data(), x.bytes());
  } else if (x.device().is_cpu()) {
    const Stream stream = current_stream(y.device());
    on_device(y.device(), "copying to the device",
              [&] { device::copy_to_device(y.raw_data(), x.raw_data(), x.bytes(), handle_of(stream)); });
    keep_pinned(x, stream);
  } else if (y.device().is_cpu()) {
    const Stream stream = current_stream(x.device());
    on_device(x.device(), "copying to the host",
              [&] { device::copy_to_host(y.raw_data(), x.raw_data(), x.bytes(), handle_of(stream)); });
    keep_pinned(y, stream);
  } else {
    between_devices(x, y);
  }
}

}  // namespace

void detail::copy_across(const Tensor& x, const Tensor& y) {
  // One of the two devices converts, or lays out.
  Tensor from = x.detach();
  if (from.dtype() != y.dtype()) from = from.to(y.dtype());
  if (y.is_dense()) {
    if (from.strides() != y.strides()) {
      Tensor same = Tensor::empty(y.shape(), {.dtype = y.dtype(), .device = from.device()});
      same = view_of(same, y.shape(), y.strides());
      same.copy_from(from);
      from = same;
    }
    copy_bytes(from, y);
    return;
  }
  y.detach().copy_from(from.to(y.device()));
}

Tensor Tensor::to(Device target, Caller caller) const {
  detail::OpScope scope("to", caller);
  if (target == device()) return *this;
  const Device source = device();
  Tensor x = is_dense() ? detach() : detach().contiguous();
  Tensor y = empty(x.shape(), {.dtype = x.dtype(), .device = target});
  y = detail::view_of(y, x.shape(), x.strides());
  copy_bytes(x, y);
  return record("to", y, {*this},
                [source](const Tensor& dy, Wanted, Sinks& to) { to.give(0, dy.to(source)); });
}

Tensor Tensor::pinned(Caller caller) const {
  detail::OpScope scope("pinned", caller);
  Tensor x = is_dense() ? detach() : detach().contiguous();
  auto impl = std::make_shared<detail::TensorImpl>();
  impl->storage = std::make_shared<detail::Storage>(Device::cpu(), x.bytes(), true);
  impl->shape = x.shape();
  impl->stride = x.strides();
  impl->dtype = x.dtype();
  Tensor y(std::move(impl));
  copy_bytes(x, y);
  if (x.device().is_cuda()) current_stream(x.device()).synchronize();
  return y;
}

bool Tensor::is_pinned() const { return defined() && impl_->storage->pinned; }

void Tensor::copy_to_host(void* out, DType wanted) const {
  NoGrad no_grad;
  Tensor host = to(Device::cpu()).to(wanted).contiguous();
  if (host.numel() > 0) std::memcpy(out, host.raw_data(), host.bytes());
}

}  // namespace iskra
