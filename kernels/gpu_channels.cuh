// Pictures and rows with their channels side by side: a thread takes eight channels in accesses of 16 bytes,
// or one where channels do not come in eights.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/half.h>

namespace iskra::kernels {
namespace {

constexpr int kChannelThreads = 256;
constexpr int kEight = 8;

/// The elements i … i + kN - 1 as what they are computed in, T: f64 as double, f32 and 16 bits as float.
/// Eight lie at a multiple of eight, and `data` at a multiple of 16 bytes.
template <class T, int kN>
DEV void load_channels(const void* data, DType dtype, int64_t i, T (&to)[kN]) {
  if constexpr (std::is_same_v<T, double>) {
    static_assert(kN == 1);
    to[0] = static_cast<const double*>(data)[i];
  } else if constexpr (kN == 1) {
    to[0] = dtype == DType::f32    ? static_cast<const float*>(data)[i]
            : dtype == DType::bf16 ? to_float(static_cast<const bf16*>(data)[i])
                                   : to_float(static_cast<const f16*>(data)[i]);
  } else if (dtype == DType::f32) {
    const auto* from = reinterpret_cast<const float4*>(static_cast<const float*>(data) + i);
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      float4 v = from[k];
      to[4 * k] = v.x, to[4 * k + 1] = v.y, to[4 * k + 2] = v.z, to[4 * k + 3] = v.w;
    }
  } else {
    uint4 v = *reinterpret_cast<const uint4*>(static_cast<const uint16_t*>(data) + i);
    uint32_t word[4] = {v.x, v.y, v.z, v.w};
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      auto low = static_cast<uint16_t>(word[k]), high = static_cast<uint16_t>(word[k] >> 16);
      to[2 * k] = dtype == DType::bf16 ? to_float(bf16{low}) : to_float(f16{low});
      to[2 * k + 1] = dtype == DType::bf16 ? to_float(bf16{high}) : to_float(f16{high});
    }
  }
}

template <class T, int kN>
DEV void store_channels(const T (&from)[kN], void* data, DType dtype, int64_t i) {
  if constexpr (std::is_same_v<T, double>) {
    static_cast<double*>(data)[i] = from[0];
  } else if constexpr (kN == 1) {
    if (dtype == DType::f32)
      static_cast<float*>(data)[i] = from[0];
    else if (dtype == DType::bf16)
      static_cast<bf16*>(data)[i] = to_bf16(from[0]);
    else
      static_cast<f16*>(data)[i] = to_f16(from[0]);
  } else if (dtype == DType::f32) {
    auto* to = reinterpret_cast<float4*>(static_cast<float*>(data) + i);
#pragma unroll
    for (int k = 0; k < 2; ++k)
      to[k] = make_float4(from[4 * k], from[4 * k + 1], from[4 * k + 2], from[4 * k + 3]);
  } else {
    uint32_t word[4];
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      T a = from[2 * k], b = from[2 * k + 1];
      uint32_t low = dtype == DType::bf16 ? to_bf16(a).bits : to_f16(a).bits;
      uint32_t high = dtype == DType::bf16 ? to_bf16(b).bits : to_f16(b).bits;
      word[k] = low | high << 16;
    }
    *reinterpret_cast<uint4*>(static_cast<uint16_t*>(data) + i) =
        make_uint4(word[0], word[1], word[2], word[3]);
  }
}

/// The same of i32.
template <int kN>
DEV void load_channels(const int32_t* data, int64_t i, int32_t (&to)[kN]) {
  if constexpr (kN == 1) {
    to[0] = data[i];
  } else {
#pragma unroll
    for (int k = 0; k < 2; ++k) {
      int4 v = reinterpret_cast<const int4*>(data + i)[k];
      to[4 * k] = v.x, to[4 * k + 1] = v.y, to[4 * k + 2] = v.z, to[4 * k + 3] = v.w;
    }
  }
}
template <int kN>
DEV void store_channels(const int32_t (&from)[kN], int32_t* data, int64_t i) {
  if constexpr (kN == 1) {
    data[i] = from[0];
  } else {
#pragma unroll
    for (int k = 0; k < 2; ++k)
      reinterpret_cast<int4*>(data + i)[k] =
          make_int4(from[4 * k], from[4 * k + 1], from[4 * k + 2], from[4 * k + 3]);
  }
}

/// Calls f(row, pixel, channel) for the first of each kN channels of all pixels in rows of `width` pixels.
template <int kN, class F>
DEV void for_pixels(int64_t rows, int64_t width, int64_t channels, F f) {
  int64_t parts = channels / kN, items = width * parts;
  int64_t across = int64_t{gridDim.x} * blockDim.x, down = int64_t{gridDim.y} * blockDim.y;
  for (int64_t row = int64_t{blockIdx.y} * blockDim.y + threadIdx.y; row < rows; row += down) {
    for (int64_t i = int64_t{blockIdx.x} * blockDim.x + threadIdx.x; i < items; i += across)
      f(row, i / parts, i % parts * kN);
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

/// Calls f(T{}, kN) with what a kernel for elements of `dtype` computes in and how many channels a thread
/// takes; `data` is all that is read or written by channels.
template <class F>
void with_channels(DType dtype, int64_t channels, std::initializer_list<const void*> data, const char* op,
                   F&& f) {
  ISKRA_CHECK(is_floating(dtype), op, ": elements are ", name_of(dtype),
              "; it takes floating types, convert first");
  bool eights = channels % kEight == 0 && std::all_of(data.begin(), data.end(), [](const void* p) {
                  return reinterpret_cast<uintptr_t>(p) % 16 == 0;
                });
  if (dtype == DType::f64) return f(double{}, std::integral_constant<int, 1>{});
  if (eights) return f(float{}, std::integral_constant<int, kEight>{});
  f(float{}, std::integral_constant<int, 1>{});
}

/// Threads for `rows` of `items` each: blocks as wide as a row, if it is short, and so the higher.
inline gpu::LaunchShape threads_for_items(int64_t rows, int64_t items) {
  unsigned across = 1;
  while (across < kChannelThreads && across < items) across *= 2;
  unsigned down = kChannelThreads / across;
  auto blocks = [](int64_t n, unsigned each) {
    return static_cast<unsigned>(std::clamp<int64_t>((n + each - 1) / each, 1, 65535));
  };
  return {dim3(blocks(items, across), blocks(rows, down)), dim3(across, down)};
}

}  // namespace
}  // namespace iskra::kernels
