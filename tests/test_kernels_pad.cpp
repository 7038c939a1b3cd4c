// Padding from the inside of a tensor: every mode, layout and cut of the work, against index lists and sums
// in double.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

struct PadCase {
  std::string name;
  Shape shape, before, after, x_stride, y_stride;
};

// The elements of x that y's consist of along one axis, spelled out.
std::vector<int64_t> sources(PadMode mode, int64_t size, int64_t before, int64_t after) {
  std::vector<int64_t> from;
  for (int64_t i = before; i > 0; --i)
    from.push_back(mode == PadMode::reflect ? i : mode == PadMode::circular ? size - i : 0);
  for (int64_t i = 0; i < size; ++i) from.push_back(i);
  for (int64_t i = 0; i < after; ++i)
    from.push_back(mode == PadMode::reflect ? size - 2 - i : mode == PadMode::circular ? i : size - 1);
  return from;
}

Shape padded_shape(const PadCase& at) {
  Shape shape = at.shape;
  for (int i = 0; i < shape.rank(); ++i) shape[i] += at.before[i] + at.after[i];
  return shape;
}

// For each element of y, in row-major order, the row-major place in x.
std::vector<int64_t> places(PadMode mode, const PadCase& at) {
  std::vector<int64_t> all = {0};
  for (int i = 0; i < at.shape.rank(); ++i) {
    std::vector<int64_t> longer;
    for (int64_t outer : all)
      for (int64_t from : sources(mode, at.shape[i], at.before[i], at.after[i]))
        longer.push_back(outer * at.shape[i] + from);
    all = longer;
  }
  return all;
}

Shape gaps(const Shape& shape) {
  Shape stride = Shape::filled(shape.rank(), 3);
  for (int i = shape.rank() - 2; i >= 0; --i) stride[i] = stride[i + 1] * shape[i + 1] + 2;
  return stride;
}

std::vector<PadCase> cases() {
  std::vector<PadCase> all;
  auto add = [&](const std::string& name, const Shape& shape, const Shape& before, const Shape& after,
                 Shape (*layout)(const Shape&)) {
    PadCase at{name, shape, before, after, layout(shape), {}};
    at.y_stride = layout(padded_shape(at));
    all.push_back(at);
  };
  add("line", {7}, {3}, {5}, contiguous_strides);
  add("one_sided", {2, 9}, {0, 0}, {0, 4}, contiguous_strides);
  add("pictures", {2, 3, 5, 7}, {0, 0, 2, 3}, {0, 0, 4, 1}, contiguous_strides);
  add("pictures_last", {2, 3, 5, 7}, {0, 0, 2, 3}, {0, 0, 4, 1}, channels_last_strides);
  add("channels_too", {2, 5, 4, 3}, {0, 1, 2, 1}, {1, 2, 0, 1}, channels_last_strides);
  add("gaps", {2, 3, 5, 7}, {1, 0, 2, 3}, {0, 0, 4, 1}, gaps);
  add("rows_of_matrix", {5, 37}, {2, 0}, {1, 0}, contiguous_strides);
  add("pixels_of_eights", {2, 16, 3, 5}, {0, 0, 1, 2}, {0, 0, 2, 1}, channels_last_strides);
  add("rows_of_eights", {3, 2, 8}, {2, 0, 0}, {1, 0, 0}, contiguous_strides);
  add("eight_axes", {2, 1, 3, 2, 1, 2, 3, 2}, {1, 0, 0, 1, 0, 0, 2, 0}, {0, 0, 2, 1, 0, 0, 1, 0},
      contiguous_strides);
  const int64_t wide = kOnCuda ? 403 : 40003, lengthy = kOnCuda ? 521 : 50021, pixels = kOnCuda ? 31 : 3001;
  add("wide_pixels", {3, wide}, {1, 0}, {2, 0}, contiguous_strides);
  add("long_lines", {1, lengthy}, {0, 17}, {0, 11}, contiguous_strides);
  add("long_lines_of_pixels", {1, 16, 3, pixels}, {0, 0, 1, 2}, {0, 0, 1, 1}, channels_last_strides);
  add("long_borders", {2, 211}, {0, 150}, {0, 130}, contiguous_strides);
  add("all_borders", {2, 2, 2}, {1, 1, 1}, {1, 1, 1}, contiguous_strides);
  return all;
}

constexpr PadMode kModes[] = {PadMode::reflect, PadMode::replicate, PadMode::circular};
constexpr const char* kNames[] = {"reflect ", "replicate ", "circular "};

TEST(Pad, CopiesWhatTheModeNames) {
  for (const PadCase& at : cases())
    for (PadMode mode : kModes)
      for (DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16, DType::i32}) {
        Array x(dtype, at.shape, at.x_stride);
        for (int64_t i = 0; i < x.numel(); ++i) x.set(i, static_cast<double>(i % 251));
        const std::vector<int64_t> from = places(mode, at);
        for (int threads : {1, 3}) {
          Array y(dtype, padded_shape(at), at.y_stride);
          pad(on(threads), mode, x.view(), at.before, y.view());
          for (int64_t i = 0; i < y.numel(); ++i)
            ASSERT_EQ(y.get(i), x.get(from[static_cast<size_t>(i)]))
                << kNames[static_cast<int>(mode)] << at.name << " at " << i;
        }
      }
}

TEST(Pad, GradientsAddUpWhereTheElementsCameFrom) {
  for (const PadCase& at : cases())
    for (PadMode mode : kModes)
      for (DType dtype : {DType::f32, DType::f64, DType::bf16, DType::f16}) {
        const Array dy = Array::random(dtype, padded_shape(at), at.y_stride, 5);
        std::vector<double> want(static_cast<size_t>(at.shape.numel()), 0.0);
        const std::vector<int64_t> from = places(mode, at);
        for (int64_t i = 0; i < dy.numel(); ++i)
          want[static_cast<size_t>(from[static_cast<size_t>(i)])] += dy.get(i);
        Array first(dtype, at.shape, at.x_stride);
        for (int threads : {1, 2, 3}) {
          HeapScratch scratch;
          Array dx(dtype, at.shape, at.x_stride);
          pad_backward(on(threads, &scratch), mode, dy.view(), at.before, dx.view());
          const std::string what = kNames[static_cast<int>(mode)] + at.name;
          expect_close(dx, want, 1e-4, what);  // multiples of 2^-10: exact in f32 up to rounding of 16 bits
          if (threads == 1)
            first = dx;
          else
            expect_same_bits(dx, first, what);
        }
      }
}

TEST(Pad, MovesBytes) {
  // Odd, in groups of 16, and longer than what is written at one go.
  for (const Shape& shape : {Shape{3, 7}, Shape{4, 48}, Shape{2, 600011}}) {
    const int64_t cols = shape[1];
    std::vector<uint8_t> x(static_cast<size_t>(shape.numel())), y(static_cast<size_t>((shape[0] + 2) * cols));
    for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<uint8_t>(i * 7 + i / 251);
    const Shape padded = {shape[0] + 2, cols};
    pad(on(), PadMode::circular, View{x.data(), DType::u8, shape, contiguous_strides(shape)}, {1, 0},
        MutView{y.data(), DType::u8, padded, contiguous_strides(padded)});
    for (int64_t r = 0; r < padded[0]; ++r) {
      const auto from = x.begin() + (r + shape[0] - 1) % shape[0] * cols;
      EXPECT_TRUE(std::equal(from, from + cols, y.begin() + r * cols)) << "row " << r << " of " << cols;
    }
  }
}

TEST(Pad, NothingStaysNothing) {
  Array x(DType::f32, {0, 3}), y(DType::f32, {0, 5});
  pad(on(), PadMode::replicate, x.view(), {0, 1}, y.view());
  pad_backward(on(), PadMode::replicate, y.view(), {0, 1}, x.view());
}

}  // namespace
}  // namespace iskra::kernels::testing
