#include <iskra/core/tensor.h>

#include <cstring>

#include <iskra/core/allocator.h>
#include <iskra/core/grad_meta.h>
#include <iskra/core/launch.h>
#include <iskra/core/tensor_impl.h>
#include <iskra/kernels/kernels.h>

namespace iskra {
namespace detail {

Storage::Storage(Device on, size_t size, bool in_pinned)
    : device(on),
      bytes(size),
      tag(current_memory_tag()),
      pinned(in_pinned),
      data(pinned ? allocate_pinned(size) : allocate(on, size, tag)) {}
Storage::~Storage() {
  if (pinned) {
    deallocate_pinned(data);
  } else {
    deallocate(device, data, bytes, tag);
  }
}

Tensor view_of(const Tensor& x, const Shape& shape, const Shape& stride, int64_t extra_offset) {
  auto impl = std::make_shared<TensorImpl>(
      TensorImpl{x.impl()->storage, x.impl()->offset + extra_offset, shape, stride, x.dtype(), nullptr});
  return Tensor(std::move(impl));
}

int normal_axis(int axis, int rank, const char* op) {
  ISKRA_CHECK(rank > 0, op, ": axis ", axis, " of a tensor without axes, which holds one number");
  ISKRA_CHECK(axis >= -rank && axis < rank, op, ": axis ", axis, " is outside a tensor of rank ", rank,
              "; use ", -rank, " to ", rank - 1);
  return axis < 0 ? axis + rank : axis;
}

namespace {

const TensorImpl& defined_impl(const Tensor& x) {
  ISKRA_CHECK(x.defined(),
              "this Tensor is undefined (default-constructed, or moved from); give it a value first");
  return *x.impl();
}

size_t checked_bytes(const Shape& shape, DType dtype) {
  int64_t count = 1;
  for (int64_t size : shape) {
    ISKRA_CHECK(size >= 0, "Tensor: size ", size, " in shape ", shape, " is negative; sizes start at 0");
    ISKRA_CHECK(!__builtin_mul_overflow(count, size, &count), "Tensor: shape ", shape,
                " has more than 2^63 elements");
  }
  int64_t bytes = 0;
  ISKRA_CHECK(!__builtin_mul_overflow(count, static_cast<int64_t>(size_of(dtype)), &bytes), "Tensor: shape ",
              shape, " needs more than 2^63 bytes");
  return static_cast<size_t>(bytes);
}

// Dense in any axis order: sorted by stride, each stride is the product of the sizes inside it.
bool dense(const Shape& shape, const Shape& stride) {
  int64_t expected = 1;
  bool used[Shape::kMaxRank] = {};
  for (int step = 0; step < shape.rank(); ++step) {
    int next = -1;
    for (int i = 0; i < shape.rank(); ++i) {
      if (!used[i] && (shape[i] == 1 || stride[i] == expected) && (next < 0 || shape[i] == 1)) next = i;
    }
    if (next < 0) return false;
    used[next] = true;
    expected *= shape[next];
  }
  return true;
}

// A plain write into a result of the tape would leave its history behind.
void check_unrecorded(const Tensor& x, const char* op, const char* recorded) {
  const auto& meta = defined_impl(x).meta;
  ISKRA_CHECK(!meta || !meta->node || !context().grad_enabled, op, ": this Tensor was computed by '",
              meta->node->name, "' and a plain write is not recorded; use ", recorded,
              ", or write within NoGrad");
}

}  // namespace
}  // namespace detail

using detail::defined_impl;

Tensor Tensor::empty(const Shape& shape, TensorOptions options, Caller caller) {
  detail::OpScope scope("empty", caller);
  size_t bytes = detail::checked_bytes(shape, options.dtype);
  ISKRA_CHECK(options.layout == Layout::row_major || shape.rank() == 4,
              "Tensor: channels_last needs four axes (N,C,H,W), the shape is ", shape);
  auto impl = std::make_shared<detail::TensorImpl>();
  impl->storage = std::make_shared<detail::Storage>(options.device, bytes);
  impl->shape = shape;
  impl->stride =
      options.layout == Layout::row_major ? contiguous_strides(shape) : channels_last_strides(shape);
  impl->dtype = options.dtype;
  return Tensor(std::move(impl));
}

Tensor Tensor::full(const Shape& shape, double value, TensorOptions options, Caller caller) {
  detail::OpScope scope("full", caller);
  Tensor y = empty(shape, options);
  y.fill(value);
  return y;
}

Tensor Tensor::empty_like(const Tensor& like) {
  Tensor y = empty(like.shape(), {.dtype = like.dtype(), .device = like.device()});
  if (like.is_dense()) y.impl_->stride = like.strides();
  return y;
}

Tensor Tensor::zeros_like(const Tensor& like) {
  Tensor y = empty_like(like);
  y.fill(0);
  return y;
}

Tensor Tensor::from_bytes(const void* values, size_t count, DType dtype, const Shape& shape, Device device,
                          Caller caller) {
  detail::OpScope scope("of", caller);
  Tensor host = empty(shape, {.dtype = dtype, .device = Device::cpu()});
  ISKRA_CHECK(static_cast<int64_t>(count) == shape.numel(), "Tensor::of: ", count, " values for shape ",
              shape, ", which has ", shape.numel());
  if (count > 0) std::memcpy(host.raw_data(), values, host.bytes());
  return host.to(device);
}

const Shape& Tensor::shape() const { return defined_impl(*this).shape; }
const Shape& Tensor::strides() const { return defined_impl(*this).stride; }
DType Tensor::dtype() const { return defined_impl(*this).dtype; }
Device Tensor::device() const { return defined_impl(*this).storage->device; }
int64_t Tensor::size(int axis, Caller caller) const {
  detail::OpScope scope("size", caller);
  return shape()[detail::normal_axis(axis, rank(), "size")];
}
bool Tensor::is_contiguous() const { return view().contiguous(); }
bool Tensor::is_channels_last() const { return view().channels_last(); }
bool Tensor::is_dense() const { return numel() == 0 || detail::dense(shape(), strides()); }

std::string Tensor::str() const {
  return defined() ? text(name_of(dtype()), " ", shape(), " ", device()) : "undefined";
}

void* Tensor::raw_data() const {
  const auto& impl = defined_impl(*this);
  return static_cast<char*>(impl.storage->data) + static_cast<size_t>(impl.offset) * size_of(impl.dtype);
}

void* Tensor::checked_data(DType wanted, const Caller& caller) const {
  detail::OpScope scope("data", caller);
  ISKRA_CHECK(dtype() == wanted, "data<", name_of(wanted), ">: the tensor holds ", name_of(dtype()),
              "; convert it with to(DType::", name_of(wanted), ")");
  ISKRA_CHECK(device().is_cpu(), "data: the tensor is on ", device(), "; copy it with to(Device::cpu())");
  return raw_data();
}

double Tensor::item(Caller caller) const {
  detail::OpScope scope("item", caller);
  ISKRA_CHECK(numel() == 1, "item: the tensor is ", str(),
              "; it must have one element, to_vector() gives many");
  double value = 0;
  copy_to_host(&value, DType::f64);
  return value;
}

void Tensor::copy_from(const Tensor& source, Caller caller) {
  detail::OpScope scope("copy_from", caller);
  ISKRA_CHECK(source.shape() == shape(), "copy_from: the source is ", source.str(), ", this tensor ", str(),
              "; their shapes must be equal");
  detail::check_unrecorded(*this, "copy_from", "copy_()");
  if (source.device() == device()) {
    detail::launch(device(), [&](auto on) { kernels::copy(on, source.view(), mut()); });
  } else {
    detail::copy_across(source, *this);
  }
  mark_changed();
}

void Tensor::fill(double value, Caller caller) {
  detail::OpScope scope("fill", caller);
  detail::check_unrecorded(*this, "fill", "fill_()");
  detail::launch(device(), [&](auto on) { kernels::fill(on, mut(), value); });
  mark_changed();
}

uint64_t Tensor::version() const {
  return defined_impl(*this).storage->version.load(std::memory_order_relaxed);
}

void Tensor::mark_changed() const {
  defined_impl(*this).storage->version.fetch_add(1, std::memory_order_relaxed);
}

kernels::MutView Tensor::mut() const {
  const auto& impl = defined_impl(*this);
  kernels::MutView window = {raw_data(), impl.dtype, impl.shape, impl.stride};
  if (impl.storage->device.is_cuda()) detail::note_operand(window);
  return window;
}

kernels::View Tensor::view() const { return mut(); }

void Tensor::set_data(const Tensor& data, Caller caller) {
  detail::OpScope scope("set_data", caller);
  ISKRA_CHECK(defined(), "set_data: this Tensor is undefined; assign to it instead");
  const auto& from = defined_impl(data);
  ISKRA_CHECK(!data.impl()->meta || !data.impl()->meta->node,
              "set_data: the new value is part of a graph; pass value.detach()");
  impl_->storage = from.storage;
  impl_->offset = from.offset;
  impl_->shape = from.shape;
  impl_->stride = from.stride;
  impl_->dtype = from.dtype;
  if (!impl_->meta) return;
  impl_->meta->grad = {};
  detail::describe(*impl_->meta, *impl_);
}

}  // namespace iskra
