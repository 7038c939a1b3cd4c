// The vocabulary of kernels: element types, shapes, strided views of raw memory, and the device tags that
// C++ overload resolution dispatches on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <vector>

namespace iskra {

/// Element types. bf16 and f16 are storage formats of our own, the same on host and device.
enum class DType : uint8_t { f32, f16, bf16, f64, i64, i32, u8, boolean };

struct bf16 {
  uint16_t bits;
};
struct f16 {
  uint16_t bits;
};

/// Bytes of one element.
size_t size_of(DType dtype);
/// "f32", "f16", "bf16", "f64", "i64", "i32", "u8", "bool".
const char* name_of(DType dtype);
inline bool is_floating(DType d) {
  return d == DType::f32 || d == DType::f16 || d == DType::bf16 || d == DType::f64;
}

template <class T>
inline constexpr DType dtype_of = [] {
  static_assert(sizeof(T) == 0, "dtype_of: this C++ type is no element type of iskra");
  return DType::f32;
}();
template <>
inline constexpr DType dtype_of<float> = DType::f32;
template <>
inline constexpr DType dtype_of<f16> = DType::f16;
template <>
inline constexpr DType dtype_of<bf16> = DType::bf16;
template <>
inline constexpr DType dtype_of<double> = DType::f64;
template <>
inline constexpr DType dtype_of<int64_t> = DType::i64;
template <>
inline constexpr DType dtype_of<int32_t> = DType::i32;
template <>
inline constexpr DType dtype_of<uint8_t> = DType::u8;
template <>
inline constexpr DType dtype_of<bool> = DType::boolean;

/// Up to eight sizes or strides, held in place (no allocation). Used for shapes and for strides in elements.
class Shape {
 public:
  static constexpr int kMaxRank = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes);
  explicit Shape(const std::vector<int64_t>& sizes);
  /// `rank` copies of `value`.
  static Shape filled(int rank, int64_t value);

  int rank() const { return rank_; }
  int64_t operator[](int i) const { return v_[i]; }
  int64_t& operator[](int i) { return v_[i]; }
  const int64_t* begin() const { return v_; }
  const int64_t* end() const { return v_ + rank_; }
  int64_t back() const { return v_[rank_ - 1]; }
  /// Product of all sizes (1 for rank 0).
  int64_t numel() const;
  void push_back(int64_t size);
  /// Puts `size` before place `at` (0 … rank).
  void insert(int at, int64_t size);
  void erase(int at);
  bool operator==(const Shape& other) const;
  /// "(2, 3, 4)"
  std::string str() const;

 private:
  int rank_ = 0;
  int64_t v_[kMaxRank] = {};
};

/// Row-major strides of a dense tensor of this shape.
Shape contiguous_strides(const Shape& shape);
/// Strides of a dense (N,C,H,W) tensor that lies in memory as (N,H,W,C).
Shape channels_last_strides(const Shape& shape);
/// The shape that a and b broadcast to (NumPy's rule); throws, naming `op`, when they do not.
Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op);

namespace kernels {

/// A strided, typed window on memory that someone else owns; read-only. Strides count elements.
struct View {
  const void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Shape stride;

  template <class T>
  const T* as() const {
    return static_cast<const T*>(data);
  }
  int rank() const { return shape.rank(); }
  int64_t size(int i) const { return shape[i]; }
  int64_t numel() const { return shape.numel(); }
  bool defined() const { return data != nullptr; }
  bool contiguous() const;     ///< dense and row-major
  bool channels_last() const;  ///< rank 4, dense, (N,H,W,C) in memory
};

/// The same, writable.
struct MutView {
  void* data = nullptr;
  DType dtype = DType::f32;
  Shape shape;
  Shape stride;

  template <class T>
  T* as() const {
    return static_cast<T*>(data);
  }
  int rank() const { return shape.rank(); }
  int64_t size(int i) const { return shape[i]; }
  int64_t numel() const { return shape.numel(); }
  bool defined() const { return data != nullptr; }
  operator View() const { return {data, dtype, shape, stride}; }  // NOLINT(google-explicit-constructor)
};

/// Who computes products, convolutions and attention: our own kernels, the vendor's library, or whichever is
/// faster. On the CPU `fastest` is oneDNN for f32; f64 is always our own.
enum class Provider : uint8_t { native, vendor, fastest };

/// Temporary memory for one kernel call: a kernel never allocates by itself. Aligned to 64 bytes; valid until
/// the call returns (on a stream: until the call's work is done).
class Scratch {
 public:
  virtual ~Scratch() = default;
  virtual void* bytes(size_t count) = 0;
  template <class T>
  T* of(int64_t count) {
    return static_cast<T*>(bytes(sizeof(T) * static_cast<size_t>(count)));
  }
};

/// Device tags: the first argument of every kernel. They carry what a launch needs and nothing else.
struct Cpu {
  int threads = 1;  ///< budget of this call; results never depend on it
  Provider provider = Provider::fastest;
  Scratch* scratch = nullptr;
  bool winograd = true;  ///< `fastest` may sum f32 convolutions in Winograd's way, see conv2d
};

struct Cuda {
  int device = 0;
  void* stream = nullptr;  ///< cudaStream_t
  Provider provider = Provider::native;
  Scratch* scratch = nullptr;
  bool tf32 = false;  ///< products of f32 may round their operands to tf32, 11 bits of precision
};

}  // namespace kernels
}  // namespace iskra
