// The tensor memory accelerator of the emulator, against plain formulas on the host.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <iskra/kernels/gpu_tma.h>
#include <iskra/kernels/half.h>

#include "sim_launch.h"

namespace iskra::testing {
namespace {

using namespace gpu;

struct Place {
  int c[5];
};

template <int rank>
__device__ void load_box(void* shared, const TensorMap* map, const Place& at, uint64_t* bar) {
  const int* c = static_cast<const int*>(at.c);
  if constexpr (rank == 1) tma_load_1d(shared, map, c[0], bar);
  if constexpr (rank == 2) tma_load_2d(shared, map, c[0], c[1], bar);
  if constexpr (rank == 3) tma_load_3d(shared, map, c[0], c[1], c[2], bar);
  if constexpr (rank == 4) tma_load_4d(shared, map, c[0], c[1], c[2], c[3], bar);
  if constexpr (rank == 5) tma_load_5d(shared, map, c[0], c[1], c[2], c[3], c[4], bar);
}

template <int rank, bool adds>
__device__ void store_box(const TensorMap* map, const void* shared, const Place& at) {
  const int* c = static_cast<const int*>(at.c);
  if constexpr (rank == 1 && !adds) tma_store_1d(map, shared, c[0]);
  if constexpr (rank == 2 && !adds) tma_store_2d(map, shared, c[0], c[1]);
  if constexpr (rank == 3 && !adds) tma_store_3d(map, shared, c[0], c[1], c[2]);
  if constexpr (rank == 4 && !adds) tma_store_4d(map, shared, c[0], c[1], c[2], c[3]);
  if constexpr (rank == 5 && !adds) tma_store_5d(map, shared, c[0], c[1], c[2], c[3], c[4]);
  if constexpr (rank == 1 && adds) tma_reduce_add_1d(map, shared, c[0]);
  if constexpr (rank == 2 && adds) tma_reduce_add_2d(map, shared, c[0], c[1]);
  if constexpr (rank == 3 && adds) tma_reduce_add_3d(map, shared, c[0], c[1], c[2]);
  if constexpr (rank == 4 && adds) tma_reduce_add_4d(map, shared, c[0], c[1], c[2], c[3]);
  if constexpr (rank == 5 && adds) tma_reduce_add_5d(map, shared, c[0], c[1], c[2], c[3], c[4]);
}

/// Shared memory, byte by byte, after the load of a box; rank 0 loads pixels.
template <int rank>
__global__ void load_and_dump(const __grid_constant__ TensorMap map, Place at, uint32_t bytes,
                              unsigned char* y) {
  DYN_SHARED(unsigned char, box);
  SHARED(bar, uint64_t);
  if (threadIdx.x == 0) {
    tma_prefetch(&map);
    mbarrier_init(&bar, 1);
    fence_mbarrier_init();
    mbarrier_arrive_expect(&bar, bytes);
    if constexpr (rank == 0) {
      const int* c = static_cast<const int*>(at.c);
      auto tap_w = static_cast<uint16_t>(c[4] % 16), tap_h = static_cast<uint16_t>(c[4] / 16);
      tma_load_im2col_4d(box, &map, c[0], c[1], c[2], c[3], tap_w, tap_h, &bar);
    } else {
      load_box<rank>(box, &map, at, &bar);
    }
  }
  __syncthreads();
  mbarrier_wait(&bar, 0);
  for (unsigned i = threadIdx.x; i < bytes; i += blockDim.x) y[i] = box[i];
}

/// x goes to shared memory as it is, and from there to the tensor.
template <int rank, bool adds>
__global__ void fill_and_store(const __grid_constant__ TensorMap map, Place at, uint32_t bytes,
                               const unsigned char* x) {
  DYN_SHARED(unsigned char, box);
  for (unsigned i = threadIdx.x; i < bytes; i += blockDim.x) box[i] = x[i];
  fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    store_box<rank, adds>(&map, box, at);
    bulk_commit();
    bulk_wait_read<0>();
  }
}

/// A tensor whose innermost rows are padded, and a box of it.
struct Case {
  int rank;
  std::array<int64_t, 5> dims;
  std::array<uint32_t, 5> box, steps;
  std::array<int, 5> at;
  Swizzle swizzle;
};

const std::vector<Case>& cases_of_words() {  // of 4-byte elements
  static const std::vector<Case> cases = {
      {1, {37}, {12}, {1}, {30}, Swizzle::none},
      {1, {37}, {8}, {1}, {-3}, Swizzle::b32},
      {1, {1}, {256}, {1}, {0}, Swizzle::none},
      {2, {19, 7}, {20, 3}, {1, 1}, {0, 2}, Swizzle::none},
      {2, {19, 7}, {8, 9}, {1, 1}, {12, -1}, Swizzle::b32},
      {2, {50, 33}, {16, 31}, {1, 1}, {-5, 3}, Swizzle::b64},
      {2, {50, 33}, {32, 40}, {1, 1}, {32, -4}, Swizzle::b128},
      {3, {33, 5, 4}, {32, 3, 2}, {1, 1, 1}, {1, 3, 3}, Swizzle::b128},
      {3, {9, 7, 5}, {4, 6, 4}, {1, 2, 3}, {2, -1, 0}, Swizzle::none},
      {4, {9, 3, 4, 2}, {8, 2, 3, 2}, {1, 1, 1, 1}, {4, -1, 2, 1}, Swizzle::b32},
      {5, {5, 3, 2, 4, 3}, {4, 2, 2, 3, 2}, {1, 1, 1, 1, 1}, {2, 1, -1, 2, 2}, Swizzle::none},
      {5, {40, 3, 2, 2, 2}, {16, 2, 1, 2, 2}, {1, 1, 1, 1, 1}, {3, 2, 1, 1, -1}, Swizzle::b64},
  };
  return cases;
}

struct Tensor {
  TensorShape shape;
  std::vector<unsigned char> memory;
  int bytes;  ///< of an element

  Tensor(const Case& c, TensorType type, int element_bytes, Outside outside) : bytes(element_bytes) {
    int64_t stride = 1;
    for (int i = 0; i < c.rank; ++i) {
      shape.dims[i] = static_cast<uint64_t>(c.dims[static_cast<size_t>(i)]);
      stride *= c.dims[static_cast<size_t>(i)];
      if (i == 0) stride = (stride * bytes + 15) / 16 * 16 + 16;
      if (i < 4) shape.strides[i] = static_cast<uint64_t>(stride);
    }
    memory.resize(static_cast<size_t>(stride) + 16);
    for (size_t i = 0; i < memory.size(); ++i) memory[i] = static_cast<unsigned char>(i * 37 % 101);
    shape.type = type;
    shape.rank = c.rank;
    shape.outside = outside;
    shape.swizzle = c.swizzle;
    shape.address = memory.data();
  }
  /// Its place in memory, or -1.
  int64_t find(const std::array<int64_t, 5>& at) const {
    int64_t place = at[0] * bytes;
    for (int i = 0; i < shape.rank; ++i) {
      int64_t a = at[static_cast<size_t>(i)];
      if (a < 0 || a >= static_cast<int64_t>(shape.dims[i])) return -1;
      if (i > 0) place += a * static_cast<int64_t>(shape.strides[i - 1]);
    }
    return place;
  }
};

/// Where the byte lies that would be at i without a swizzle: units of 16 bytes change places within a line.
size_t place_of(Swizzle swizzle, size_t i) {
  size_t line = i / 128, unit = i % 128 / 16;
  if (swizzle == Swizzle::b128) unit ^= line % 8;
  if (swizzle == Swizzle::b64) unit ^= line % 4;
  if (swizzle == Swizzle::b32) unit ^= line % 2;
  return line * 128 + unit * 16 + i % 16;
}

/// Calls f(element of the box, where it lies in the tensor) in order.
template <class F>
int64_t for_elements(const Case& c, F&& f) {
  int64_t count = 1, extents[5];
  for (int i = 0; i < c.rank; ++i) {
    auto k = static_cast<size_t>(i);
    extents[i] = (c.box[k] + c.steps[k] - 1) / c.steps[k];
    count *= extents[i];
  }
  for (int64_t e = 0; e < count; ++e) {
    std::array<int64_t, 5> at{};
    int64_t rest = e;
    for (int i = 0; i < c.rank; ++i, rest /= extents[i - 1]) {
      auto k = static_cast<size_t>(i);
      at[k] = c.at[k] + rest % extents[i] * c.steps[k];
    }
    f(static_cast<size_t>(e), at);
  }
  return count;
}

TiledBox box_of(const Case& c) {
  TiledBox box;
  for (int i = 0; i < c.rank; ++i) {
    box.box[i] = c.box[static_cast<size_t>(i)];
    box.steps[i] = c.steps[static_cast<size_t>(i)];
  }
  return box;
}

Place at_of(const Case& c) {
  Place place{};
  for (size_t i = 0; i < 5; ++i) place.c[i] = c.at[i];
  return place;
}

template <class F>
void with_rank(int rank, F&& f) {
  if (rank == 1) f(std::integral_constant<int, 1>());
  if (rank == 2) f(std::integral_constant<int, 2>());
  if (rank == 3) f(std::integral_constant<int, 3>());
  if (rank == 4) f(std::integral_constant<int, 4>());
  if (rank == 5) f(std::integral_constant<int, 5>());
}

void check_load(const Case& c, TensorType type, int bytes, Outside outside) {
  Tensor x(c, type, bytes, outside);
  TensorMap map = encode_tiled(x.shape, box_of(c));
  std::vector<unsigned char> want(static_cast<size_t>(for_elements(c, [](size_t, auto&) {})) *
                                  static_cast<size_t>(bytes));
  std::vector<bool> is_nan(want.size());
  auto each = static_cast<size_t>(bytes);
  for_elements(c, [&](size_t e, const std::array<int64_t, 5>& at) {
    int64_t from = x.find(at);
    for (size_t b = 0; b < each; ++b) {
      size_t place = place_of(c.swizzle, e * each + b);
      if (from >= 0) want[place] = x.memory[static_cast<size_t>(from) + b];
      is_nan[place] = from < 0 && outside == Outside::nan;
    }
  });
  std::vector<unsigned char> y(want.size() + 16, 7);
  auto size = static_cast<uint32_t>(want.size());
  with_rank(c.rank, [&](auto rank) {
    go<load_and_dump<rank()>>({1, 96, want.size()}, map, at_of(c), size, y.data());
  });
  for (size_t i = 0; i < want.size(); i += each) {
    if (is_nan[i]) {
      float value = 0;
      if (type == TensorType::f32) std::memcpy(&value, &y[i], 4);
      if (type == TensorType::bf16)
        value = kernels::to_float(bf16{static_cast<uint16_t>(y[i] | y[i + 1] << 8)});
      if (type == TensorType::f16)
        value = kernels::to_float(f16{static_cast<uint16_t>(y[i] | y[i + 1] << 8)});
      EXPECT_TRUE(std::isnan(value)) << "at byte " << i;
      continue;
    }
    for (size_t b = i; b < i + each; ++b) ASSERT_EQ(y[b], want[b]) << "at byte " << b;
  }
}

TEST(SimTma, LoadsOfEveryRankAndSwizzle) {
  in_all_orders([] {
    int number = 0;
    for (const Case& c : cases_of_words()) {
      SCOPED_TRACE(number++);
      check_load(c, TensorType::f32, 4, Outside::zero);
      check_load(c, TensorType::f32, 4, Outside::nan);
      check_load(c, TensorType::i32, 4, Outside::zero);
    }
  });
}

TEST(SimTma, LoadsOfEveryType) {
  in_all_orders([] {
    check_load({2, {70, 5}, {64, 3}, {1, 1}, {9, 3}, Swizzle::b64}, TensorType::u8, 1, Outside::zero);
    check_load({2, {70, 5}, {64, 3}, {1, 1}, {9, 3}, Swizzle::b128}, TensorType::f16, 2, Outside::zero);
    check_load({2, {70, 5}, {64, 3}, {1, 1}, {-9, 3}, Swizzle::b128}, TensorType::bf16, 2, Outside::nan);
    check_load({2, {70, 5}, {16, 3}, {1, 1}, {61, 3}, Swizzle::b32}, TensorType::f16, 2, Outside::nan);
    check_load({2, {7, 9}, {4, 9}, {1, 1}, {5, 3}, Swizzle::b32}, TensorType::f64, 8, Outside::zero);
    check_load({2, {7, 9}, {16, 9}, {1, 1}, {-1, 3}, Swizzle::b128}, TensorType::i64, 8, Outside::zero);
    check_load({2, {17, 9}, {16, 9}, {1, 1}, {8, 3}, Swizzle::b64}, TensorType::tf32, 4, Outside::zero);
  });
}

// --- stores
// -----------------------------------------------------------------------------------------------------------

void check_store(const Case& c) {
  Tensor y(c, TensorType::f32, 4, Outside::zero);
  TensorMap map = encode_tiled(y.shape, box_of(c));
  std::vector<unsigned char> want = y.memory;
  std::vector<unsigned char> x(static_cast<size_t>(for_elements(c, [](size_t, auto&) {})) * 4);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<unsigned char>(i * 11 % 251);
  for_elements(c, [&](size_t e, const std::array<int64_t, 5>& at) {
    int64_t to = y.find(at);
    for (size_t b = 0; to >= 0 && b < 4; ++b)
      want[static_cast<size_t>(to) + b] = x[place_of(c.swizzle, e * 4 + b)];
  });
  auto size = static_cast<uint32_t>(x.size());
  with_rank(c.rank, [&](auto rank) {
    go<fill_and_store<rank(), false>>({1, 64, x.size()}, map, at_of(c), size, x.data());
  });
  EXPECT_EQ(y.memory, want);
}

TEST(SimTma, StoresOfEveryRankAndSwizzle) {
  in_all_orders([] {
    int number = 0;
    for (const Case& c : cases_of_words()) {
      SCOPED_TRACE(number++);
      check_store(c);
    }
  });
}

/// Three blocks add the same box to y; numbers are small whole ones, exact in every type.
template <class T, class ToT, class FromT>
void check_add(const Case& c, TensorType type, ToT&& to_t, FromT&& from_t) {
  constexpr size_t kEach = sizeof(T);
  Tensor y(c, type, static_cast<int>(kEach), Outside::zero);
  auto* elements = reinterpret_cast<T*>(y.memory.data());
  for (size_t i = 0; i < y.memory.size() / kEach; ++i) elements[i] = to_t(static_cast<int>(i % 50));
  TensorMap map = encode_tiled(y.shape, box_of(c));
  std::vector<unsigned char> want = y.memory;
  auto count = static_cast<size_t>(for_elements(c, [](size_t, auto&) {}));
  std::vector<unsigned char> x(count * kEach);
  for_elements(c, [&](size_t e, const std::array<int64_t, 5>& at) {
    int value = static_cast<int>(e % 7) - 3;
    *reinterpret_cast<T*>(&x[place_of(c.swizzle, e * kEach)]) = to_t(value);
    int64_t to = y.find(at);
    if (to < 0) return;
    T* sum = reinterpret_cast<T*>(&want[static_cast<size_t>(to)]);
    *sum = to_t(static_cast<int>(from_t(*sum)) + 3 * value);
  });
  auto size = static_cast<uint32_t>(x.size());
  with_rank(c.rank, [&](auto rank) {
    go<fill_and_store<rank(), true>>({3, 64, x.size()}, map, at_of(c), size, x.data());
  });
  EXPECT_EQ(y.memory, want);
}

TEST(SimTma, StoresThatAdd) {
  auto same = [](auto x) { return x; };
  auto to_float = [](int x) { return static_cast<float>(x); };
  in_all_orders([&] {
    int number = 0;
    for (const Case& c : cases_of_words()) {
      SCOPED_TRACE(number++);
      check_add<float>(c, TensorType::f32, to_float, same);
      check_add<int>(c, TensorType::i32, same, same);
    }
    Case halves = {2, {70, 5}, {64, 3}, {1, 1}, {9, 3}, Swizzle::b128};
    check_add<f16>(
        halves, TensorType::f16, [](int x) { return kernels::to_f16(static_cast<float>(x)); },
        [](f16 x) { return kernels::to_float(x); });
    check_add<bf16>(
        halves, TensorType::bf16, [](int x) { return kernels::to_bf16(static_cast<float>(x)); },
        [](bf16 x) { return kernels::to_float(x); });
  });
}

// --- pixels
// -----------------------------------------------------------------------------------------------------------

struct Convolution {
  int c, w, h, n;
  int pad, stride, dilation, taps;  ///< of a filter of taps x taps
};

/// Columns of a convolution by the loop that everyone writes: the `first`th output pixel and those after it.
std::vector<float> naive_columns(const Convolution& k, const Tensor& x, int first_channel, int channels,
                                 int first, int pixels, int tap_w, int tap_h) {
  int wide = (k.w + 2 * k.pad - (k.taps - 1) * k.dilation - 1) / k.stride + 1;
  int high = (k.h + 2 * k.pad - (k.taps - 1) * k.dilation - 1) / k.stride + 1;
  std::vector<float> columns;
  for (int p = first; p < first + pixels; ++p) {
    int q = p % wide, r = p / wide % high, n = p / wide / high;
    for (int c = first_channel; c < first_channel + channels; ++c) {
      int64_t from = x.find(
          {c, q * k.stride - k.pad + tap_w * k.dilation, r * k.stride - k.pad + tap_h * k.dilation, n, 0});
      float value = 0;
      if (from >= 0) std::memcpy(&value, &x.memory[static_cast<size_t>(from)], 4);
      columns.push_back(value);
    }
  }
  return columns;
}

void check_columns(const Convolution& k, int first_channel, int channels, int first, int pixels,
                   Swizzle swizzle) {
  Case shape = {4, {k.c, k.w, k.h, k.n}, {}, {}, {}, swizzle};
  Tensor x(shape, TensorType::f32, 4, Outside::zero);
  auto* numbers = reinterpret_cast<float*>(x.memory.data());
  for (size_t i = 0; i < x.memory.size() / 4; ++i) numbers[i] = static_cast<float>(i + 1);
  Im2colBox box;
  int reach = (k.taps - 1) * k.dilation;
  for (int i = 0; i < 2; ++i) box.lower[i] = -k.pad, box.upper[i] = k.pad - reach;
  box.channels = static_cast<uint32_t>(channels);
  box.pixels = static_cast<uint32_t>(pixels);
  box.steps[1] = box.steps[2] = static_cast<uint32_t>(k.stride);
  TensorMap map = encode_im2col(x.shape, box);
  int wide = (k.w + 2 * k.pad - reach - 1) / k.stride + 1,
      high = (k.h + 2 * k.pad - reach - 1) / k.stride + 1;
  size_t bytes = box.channels * box.pixels * 4;
  for (int tap = 0; tap < k.taps * k.taps; ++tap) {
    int tap_w = tap % k.taps, tap_h = tap / k.taps;
    Place at = {{first_channel, first % wide * k.stride - k.pad, first / wide % high * k.stride - k.pad,
                 first / wide / high, tap_w * k.dilation + 16 * (tap_h * k.dilation)}};
    std::vector<unsigned char> y(bytes);
    go<load_and_dump<0>>({1, 64, bytes}, map, at, static_cast<uint32_t>(bytes), y.data());
    std::vector<float> want = naive_columns(k, x, first_channel, channels, first, pixels, tap_w, tap_h);
    for (size_t i = 0; i < want.size(); ++i) {
      float value = 0;
      std::memcpy(&value, &y[place_of(swizzle, i * 4)], 4);
      ASSERT_EQ(value, want[i]) << "pixel " << i / box.channels << ", channel " << i % box.channels
                                << ", tap " << tap;
    }
  }
}

TEST(SimTma, ColumnsOfConvolutions) {
  in_all_orders([] {
    check_columns({8, 7, 5, 2, 1, 1, 1, 3}, 0, 8, 0, 40, Swizzle::b32);
    check_columns({8, 7, 5, 2, 1, 1, 1, 3}, 4, 8, 33, 50, Swizzle::none);
    check_columns({40, 9, 8, 3, 1, 2, 1, 3}, 16, 32, 7, 64, Swizzle::b128);
    check_columns({16, 11, 6, 1, 2, 1, 2, 3}, 0, 16, 5, 33, Swizzle::b64);
    check_columns({5, 6, 6, 2, 0, 1, 1, 1}, 0, 4, 10, 100, Swizzle::none);
  });
}

}  // namespace
}  // namespace iskra::testing
