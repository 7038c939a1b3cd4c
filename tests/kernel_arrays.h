// Strided arrays for tests that call kernels directly: numbers go in and come out as double, whatever is
// stored.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/base.h>
#include <iskra/kernels/half.h>
#include "kernel_scratch.h"

#include "test_device.h"

namespace iskra::kernels::testing {

/// Memory with a shape and strides of its own; what lies between the elements is NaN (or -1).
class Array {
 public:
  Array() = default;
  Array(DType dtype, const Shape& shape) : Array(dtype, shape, contiguous_strides(shape)) {}
  Array(DType dtype, const Shape& shape, const Shape& stride)
      : dtype_(dtype), shape_(shape), stride_(stride) {
    int64_t last = 0;
    for (int i = 0; i < shape.rank(); ++i) last += (shape[i] - 1) * stride[i];
    storage_.assign(shape.numel() == 0 ? 0 : static_cast<size_t>(last + 1) * size_of(dtype), '\xFF');
  }
  /// Values in [-1, 1) from `seed`, multiples of 2^-10: exact in every floating type.
  static Array random(DType dtype, const Shape& shape, const Shape& stride, uint64_t seed) {
    Array x(dtype, shape, stride);
    uint64_t state = seed * 0x9E3779B97F4A7C15U + 1;
    for (int64_t i = 0; i < shape.numel(); ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      x.set(i, static_cast<double>(static_cast<int64_t>(state >> 53) - 1024) / 1024.0);
    }
    return x;
  }
  static Array random(DType dtype, const Shape& shape, uint64_t seed) {
    return random(dtype, shape, contiguous_strides(shape), seed);
  }

  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t numel() const { return shape_.numel(); }
  /// By logical, row-major place.
  double get(int64_t place) const {
    const char* at = storage_.data() + offset(place);
    if (dtype_ == DType::f64) return read<double>(at);
    if (dtype_ == DType::i32) return read<int32_t>(at);
    if (dtype_ == DType::bf16) return static_cast<double>(to_float(read<bf16>(at)));
    if (dtype_ == DType::f16) return static_cast<double>(to_float(read<f16>(at)));
    return static_cast<double>(read<float>(at));
  }
  void set(int64_t place, double value) {
    char* at = storage_.data() + offset(place);
    if (dtype_ == DType::f64)
      write(at, value);
    else if (dtype_ == DType::i32)
      write(at, static_cast<int32_t>(value));
    else if (dtype_ == DType::bf16)
      write(at, to_bf16(value));
    else if (dtype_ == DType::f16)
      write(at, to_f16(value));
    else
      write(at, static_cast<float>(value));
  }
  /// All of them, in row-major order.
  std::vector<double> values() const {
    std::vector<double> all;
    all.reserve(static_cast<size_t>(numel()));
    for (int64_t i = 0; i < numel(); ++i) all.push_back(get(i));
    return all;
  }
  /// Logical place of a four-dimensional index.
  int64_t place(int64_t i, int64_t j, int64_t k, int64_t l) const {
    return ((i * shape_[1] + j) * shape_[2] + k) * shape_[3] + l;
  }
  double operator()(int64_t i, int64_t j, int64_t k, int64_t l) const { return get(place(i, j, k, l)); }

  MutView view() { return {storage_.data(), dtype_, shape_, stride_}; }
  View view() const { return {storage_.data(), dtype_, shape_, stride_}; }
  bool same_bits(const Array& other) const { return storage_ == other.storage_; }

 private:
  template <class T>
  static T read(const char* at) {
    T value;
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  template <class T>
  static void write(char* at, T value) {
    std::memcpy(at, &value, sizeof(T));
  }
  size_t offset(int64_t place) const {
    int64_t at = 0;
    for (int i = shape_.rank() - 1; i >= 0; --i) {
      at += place % shape_[i] * stride_[i];
      place /= shape_[i];
    }
    return static_cast<size_t>(at) * size_of(dtype_);
  }

  DType dtype_ = DType::f32;
  Shape shape_, stride_;
  std::vector<char> storage_;
};

/// Who computes, and in what: the axis along which all tests of products are repeated.
struct Way {
  DType dtype;
  Provider provider;
  double eps() const {
    return dtype == DType::f64 ? std::numeric_limits<double>::epsilon()
                               : static_cast<double>(std::numeric_limits<float>::epsilon());
  }
};
inline std::string way_name(const ::testing::TestParamInfo<Way>& info) {
  const std::string type = name_of(info.param.dtype);
  if (info.param.dtype == DType::f64 || info.param.dtype == DType::f16) return type;
  return type + (info.param.provider == Provider::native ? "_native" : "_vendor");
}
inline auto wide_ways() {
  return ::testing::Values(Way{DType::f32, Provider::vendor}, Way{DType::f32, Provider::native},
                           Way{DType::f64, Provider::fastest});
}
/// Every type by every provider; on CUDA, whose kernels are all ours, each type once.
inline std::vector<Way> all_ways() {
  if (kOnCuda)
    return {{DType::f32, Provider::native},
            {DType::f64, Provider::fastest},
            {DType::bf16, Provider::native},
            {DType::f16, Provider::fastest}};
  return {{DType::f32, Provider::vendor},  {DType::f32, Provider::native},  {DType::f64, Provider::fastest},
          {DType::bf16, Provider::vendor}, {DType::bf16, Provider::native}, {DType::f16, Provider::fastest}};
}

/// The largest relative error of rounding once to a 16-bit type: half a unit in the last place; 0 for others,
/// whose rounding is part of the tolerance.
inline double rounding_of(DType type) {
  return type == DType::bf16 ? 0x1p-8 : type == DType::f16 ? 0x1p-11 : 0;
}

/// Every element within `tolerance` of the reference, and one rounding where elements have 16 bits; says
/// where the worst one is.
inline void expect_close(const Array& got, const std::vector<double>& want, double tolerance,
                         const std::string& what) {
  ASSERT_EQ(got.numel(), static_cast<int64_t>(want.size())) << what;
  double worst = tolerance;
  int64_t where = -1;
  for (int64_t i = 0; i < got.numel(); ++i) {
    const double exact = want[static_cast<size_t>(i)];
    const double error = std::abs(got.get(i) - exact) - rounding_of(got.dtype()) * std::abs(exact);
    if (error > worst || std::isnan(error)) {
      worst = error;
      where = i;
      if (std::isnan(error)) break;
    }
  }
  if (where < 0) return;
  EXPECT_LE(worst, tolerance) << what << ": at " << where << " got " << got.get(where) << ", want "
                              << want[static_cast<size_t>(where)];
}

inline void expect_same_bits(const Array& a, const Array& b, const std::string& what) {
  EXPECT_TRUE(a.same_bits(b)) << what << ": results differ in their bits";
}

}  // namespace iskra::kernels::testing
