// What a Tensor handle points to. For the engine's own files.
#pragma once

#include <atomic>
#include <memory>

#include <iskra/core/allocator.h>
#include <iskra/core/tensor.h>

namespace iskra::detail {

/// Owns one block of device memory.
struct Storage {
  Storage(Device device, size_t bytes, bool pinned = false);
  ~Storage();
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  Device device;
  size_t bytes;
  MemoryTag tag;
  bool pinned;  // host memory that copies from and to CUDA devices run beside other work with
  void* data;
  std::atomic<uint64_t> version = 0;  // how often the memory was changed in place
};

struct TensorImpl {
  std::shared_ptr<Storage> storage;
  int64_t offset = 0;  // elements
  Shape shape;
  Shape stride;
  DType dtype = DType::f32;
  std::shared_ptr<GradMeta> meta;  // null: takes no part in autograd
};

/// Copies the elements of x to y, which has its shape and is on another device; converts.
void copy_across(const Tensor& x, const Tensor& y);

/// A window on x's storage; takes no part in autograd.
Tensor view_of(const Tensor& x, const Shape& shape, const Shape& stride, int64_t extra_offset = 0);

/// Remembers an operand of a CUDA kernel's call, for errors that name it.
void note_operand(const kernels::View& x);

/// Windows for kernels; an undefined tensor gives the undefined window.
inline kernels::View view_or_none(const Tensor& x) { return x.defined() ? x.view() : kernels::View{}; }
inline kernels::MutView mut_or_none(const Tensor& x) { return x.defined() ? x.mut() : kernels::MutView{}; }

/// Axis in [0, rank) from one that may be negative; throws naming `op`.
int normal_axis(int axis, int rank, const char* op);

}  // namespace iskra::detail
