// Tensor: shape, strides, element type, device and storage behind a cheap handle.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include <iskra/core/caller.h>
#include <iskra/core/context.h>
#include <iskra/core/device.h>
#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>

namespace iskra {

class Tensor;

namespace detail {
struct TensorImpl;
struct GradMeta;
class Census;
/// While a node is being recorded: what notes the tensors that its closure keeps. See saved.h.
inline constinit thread_local Census* current_census = nullptr;
void note_copy(Census& census, const std::shared_ptr<TensorImpl>& impl);
}  // namespace detail

/// What adding a hook returns; it may outlive the tensor.
class HookHandle {
 public:
  HookHandle() = default;
  HookHandle(std::weak_ptr<detail::GradMeta> meta, uint64_t id) : meta_(std::move(meta)), id_(id) {}
  /// Takes the hook away; a second call does nothing.
  void remove();

 private:
  std::weak_ptr<detail::GradMeta> meta_;
  uint64_t id_ = 0;
};

/// Order of a tensor's elements in memory. Images are (N,C,H,W) in shape and channels_last in memory.
enum class Layout : uint8_t { row_major, channels_last };

struct TensorOptions {
  DType dtype = DType::f32;
  Device device = current_device();  ///< the CPU, but for a DeviceScope
  Layout layout = Layout::row_major;
};

/// A handle: copying shares the data. Views share storage. A default-constructed Tensor is undefined.
class Tensor {
 public:
  Tensor() = default;
  Tensor(const Tensor& other) : impl_(other.impl_) {
    if (detail::current_census != nullptr) [[unlikely]]
      detail::note_copy(*detail::current_census, impl_);
  }
  Tensor(Tensor&&) noexcept = default;
  Tensor& operator=(const Tensor&) = default;
  Tensor& operator=(Tensor&&) noexcept = default;
  ~Tensor() = default;

  // --- creation (never recorded)
  // ----------------------------------------------------------------------------------
  static Tensor empty(const Shape& shape, TensorOptions options = {}, Caller caller = Caller::current());
  static Tensor full(const Shape& shape, double value, TensorOptions options = {},
                     Caller caller = Caller::current());
  static Tensor zeros(const Shape& shape, TensorOptions options = {}, Caller caller = Caller::current()) {
    return full(shape, 0, options, caller);
  }
  static Tensor ones(const Shape& shape, TensorOptions options = {}, Caller caller = Caller::current()) {
    return full(shape, 1, options, caller);
  }
  /// Same shape, dtype, device and (when dense) the same layout as `like`.
  static Tensor empty_like(const Tensor& like);
  static Tensor zeros_like(const Tensor& like);
  static Tensor full_like(const Tensor& like, double value);
  static Tensor ones_like(const Tensor& like) { return full_like(like, 1); }
  /// Copies row-major values; `values.size()` must be the product of `shape`.
  template <class T>
  static Tensor of(std::span<const T> values, const Shape& shape, Device device = current_device(),
                   Caller caller = Caller::current()) {
    return from_bytes(values.data(), values.size(), dtype_of<T>, shape, device, caller);
  }
  template <class T>
  static Tensor of(const std::vector<T>& values, const Shape& shape, Device device = current_device(),
                   Caller caller = Caller::current()) {
    return of(std::span<const T>(values), shape, device, caller);
  }
  template <class T>
  static Tensor of(std::initializer_list<T> values, const Shape& shape, Device device = current_device(),
                   Caller caller = Caller::current()) {
    return of(std::span<const T>(values.begin(), values.size()), shape, device, caller);
  }
  static Tensor from_bytes(const void* values, size_t count, DType dtype, const Shape& shape, Device device,
                           Caller caller = Caller::current());

  // --- what it is
  // -------------------------------------------------------------------------------------------------
  bool defined() const { return impl_ != nullptr; }
  explicit operator bool() const { return defined(); }
  const Shape& shape() const;
  const Shape& strides() const;
  int rank() const { return shape().rank(); }
  int64_t numel() const { return shape().numel(); }
  /// Size of one axis; negative counts from the end.
  int64_t size(int axis, Caller caller = Caller::current()) const;
  DType dtype() const;
  Device device() const;
  bool is_contiguous() const;     ///< dense, row-major
  bool is_channels_last() const;  ///< rank 4, dense, (N,H,W,C) in memory
  bool is_dense() const;          ///< no holes and no overlaps, axes in any order
  size_t bytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }
  /// "f32 (2, 3) cpu"
  std::string str() const;

  // --- elements
  // ---------------------------------------------------------------------------------------------------
  /// Memory of the first element; the dtype must match (checked). Host pointers only.
  template <class T>
  T* data(Caller caller = Caller::current()) {
    return static_cast<T*>(checked_data(dtype_of<T>, caller));
  }
  template <class T>
  const T* data(Caller caller = Caller::current()) const {
    return static_cast<const T*>(checked_data(dtype_of<T>, caller));
  }
  void* raw_data() const;
  /// The only element of a one-element tensor, converted to double.
  double item(Caller caller = Caller::current()) const;
  /// All elements in row-major order on the host.
  template <class T>
  std::vector<T> to_vector() const {
    std::vector<T> out(static_cast<size_t>(numel()));
    copy_to_host(out.data(), dtype_of<T>);
    return out;
  }
  /// Overwrites the elements with those of `source` (same shape; converted). Never recorded, so it is refused
  /// for a result of the tape: that is copy_()'s work.
  void copy_from(const Tensor& source, Caller caller = Caller::current());
  void fill(double value, Caller caller = Caller::current());
  kernels::View view() const;
  kernels::MutView mut() const;

  // --- changes in place (recorded; ops_inplace.cpp)
  // ---------------------------------------------------------------------------------------------------
  // A leaf that requires a gradient changes within NoGrad only. A view of a recorded tensor is refused, and
  // so is what shares its memory with another handle and would have to be recorded. Where a backward pass
  // needs the value that was overwritten, that pass throws. `other` broadcasts to this shape.
  Tensor& add_(const Tensor& other, Caller caller = Caller::current());
  Tensor& sub_(const Tensor& other, Caller caller = Caller::current());
  Tensor& mul_(const Tensor& other, Caller caller = Caller::current());
  Tensor& div_(const Tensor& other, Caller caller = Caller::current());
  Tensor& add_(double other, Caller caller = Caller::current());
  Tensor& sub_(double other, Caller caller = Caller::current());
  Tensor& mul_(double other, Caller caller = Caller::current());
  Tensor& div_(double other, Caller caller = Caller::current());
  Tensor& fill_(double value, Caller caller = Caller::current());
  Tensor& zero_(Caller caller = Caller::current());
  /// Takes the elements of `source`, which broadcasts to this shape and is converted to this dtype.
  Tensor& copy_(const Tensor& source, Caller caller = Caller::current());
  /// How often the memory was changed in place; shared by all views of it.
  uint64_t version() const;
  /// Says that the memory was written through raw_data(), data() or mut(): a backward pass that needs the old
  /// value then throws.
  void mark_changed() const;

  // --- views and copies (recorded; ops_shape.cpp, ops_view.cpp)
  // -----------------------------------------------------------------
  /// One size may be -1. A view where strides allow it, else a copy.
  Tensor reshape(const Shape& shape, Caller caller = Caller::current()) const;
  /// Joins the axes first … last (inclusive; negative counts from the end).
  Tensor flatten(int first = 0, int last = -1, Caller caller = Caller::current()) const;
  Tensor transpose(int a, int b, Caller caller = Caller::current()) const;
  Tensor permute(const Shape& axes, Caller caller = Caller::current()) const;
  /// Elements start … start+length-1 of one axis.
  Tensor narrow(int axis, int64_t start, int64_t length, Caller caller = Caller::current()) const;
  /// Every step-th element from start to before `end` of one axis. Negative places count from the end; places
  /// outside are moved to the ends. Steps are positive.
  Tensor slice(int axis, int64_t start = 0, int64_t end = std::numeric_limits<int64_t>::max(),
               int64_t step = 1, Caller caller = Caller::current()) const;
  /// Element `index` of one axis, which goes away.
  Tensor select(int axis, int64_t index, Caller caller = Caller::current()) const;
  /// Windows of `size` elements, `step` apart, of one axis: its size becomes their number, and their elements
  /// are a new last axis. Gradients of windows that overlap add up.
  Tensor unfold(int axis, int64_t size, int64_t step, Caller caller = Caller::current()) const;
  /// Elements (i, i + offset) of two axes, as a new last axis in their place.
  Tensor diagonal(int64_t offset = 0, int row_axis = 0, int column_axis = 1,
                  Caller caller = Caller::current()) const;
  /// The same axes with one of them moved to another place.
  Tensor movedim(int from, int to, Caller caller = Caller::current()) const;
  /// Cuts one axis into several; one size may be -1.
  Tensor unflatten(int axis, const Shape& sizes, Caller caller = Caller::current()) const;
  Tensor squeeze(int axis, Caller caller = Caller::current()) const;
  Tensor unsqueeze(int axis, Caller caller = Caller::current()) const;
  Tensor expand(const Shape& shape, Caller caller = Caller::current()) const;
  /// Itself when already dense in that layout, else a copy.
  Tensor contiguous(Layout layout = Layout::row_major, Caller caller = Caller::current()) const;
  /// A copy with memory of its own.
  Tensor clone(Caller caller = Caller::current()) const;
  Tensor to(DType dtype, Caller caller = Caller::current()) const;
  /// Itself when already there, else a copy. From and to pinned memory it is made while the host goes on, in
  /// the current stream of the CUDA device.
  Tensor to(Device device, Caller caller = Caller::current()) const;

  // --- autograd
  // ---------------------------------------------------------------------------------------------------
  bool requires_grad() const;
  /// Makes a leaf record (or not) what is computed from it. Returns itself.
  Tensor& set_requires_grad(bool on = true, Caller caller = Caller::current());
  bool is_leaf() const;
  /// The accumulated gradient of a leaf, or of a tensor with retain_grad(); undefined when there is none.
  Tensor grad() const;
  void set_grad(const Tensor& grad, Caller caller = Caller::current());
  void clear_grad();
  /// Called once per backward pass, after this leaf's last contribution; the gradient is in grad().
  HookHandle on_gradient(std::function<void(Tensor& leaf)> hook, Caller caller = Caller::current());
  /// Called once per backward pass with this tensor's whole gradient of that pass, before it goes on (a leaf:
  /// before it is added to grad()). What it returns replaces the gradient; an undefined Tensor leaves it. Not
  /// recorded. Hooks run in the order in which they were added.
  HookHandle hook_gradient(std::function<Tensor(const Tensor& grad)> hook, Caller caller = Caller::current());
  /// Keeps the gradient of a computed tensor in grad(), as a leaf does. Returns itself.
  Tensor& retain_grad(Caller caller = Caller::current());
  /// The same data without a graph.
  Tensor detach(Caller caller = Caller::current()) const;
  /// Computes the gradients of every leaf this one-element tensor depends on; see autograd.h.
  void backward(Caller caller = Caller::current()) const;
  void backward(const Tensor& grad, Caller caller = Caller::current()) const;
  /// Replaces data, shape and device in place: every handle of this tensor sees it (parameters keep their
  /// identity).
  void set_data(const Tensor& data, Caller caller = Caller::current());
  /// True when both handles mean the same tensor object.
  bool same(const Tensor& other) const { return impl_ == other.impl_; }

  // --- pinned host memory
  // ---------------------------------------------------------------------------------------------------
  /// A copy in pinned host memory, which CUDA devices copy from beside their other work (cudaHostAlloc).
  Tensor pinned(Caller caller = Caller::current()) const;
  bool is_pinned() const;

  // --- for ops
  // ----------------------------------------------------------------------------------------------------
  explicit Tensor(std::shared_ptr<detail::TensorImpl> impl) : impl_(std::move(impl)) {}
  const std::shared_ptr<detail::TensorImpl>& impl() const { return impl_; }

 private:
  void* checked_data(DType dtype, const Caller& caller) const;
  void copy_to_host(void* out, DType dtype) const;
  std::shared_ptr<detail::TensorImpl> impl_;
};

}  // namespace iskra
