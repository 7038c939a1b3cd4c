// Max pooling, channels-last: the loops over a window's pixels are outside, the channels are the vector.
#include <algorithm>
#include <limits>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/pool.isa.h>

namespace iskra::kernels {
namespace {

template <class T>
const PoolTable<T>& table() {
  const PoolTables& tables = by_isa(v2::pool_tables, v3::pool_tables, v4::pool_tables);
  if constexpr (std::is_same_v<T, float>)
    return tables.f32;
  else
    return tables.f64;
}

/// The part of a window inside the picture, along one axis.
struct Span {
  int64_t begin, end;
  Span(const Pool2d& at, int axis, int64_t out, int64_t size) {
    const int64_t first = out * at.stride[axis] - at.padding[axis];
    begin = std::max<int64_t>(first, 0);
    end = std::min(first + at.size[axis], size);
  }
};

struct Sizes {
  int64_t images, channels, height, width, out_height, out_width;
  Sizes(const View& x, const View& y)
      : images(x.size(0)),
        channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)),
        out_height(y.size(2)),
        out_width(y.size(3)) {}
};

/// Calls f(place) for every pixel of the window of output (oh, ow), in row-major order.
template <class F>
void for_window(const Pool2d& at, const Sizes& s, int64_t oh, int64_t ow, F&& f) {
  const Span rows(at, 0, oh, s.height), cols(at, 1, ow, s.width);
  for (int64_t h = rows.begin; h < rows.end; ++h)
    for (int64_t w = cols.begin; w < cols.end; ++w) f(h * s.width + w);
}

template <class T>
void forward(const Cpu& on, const Pool2d& at, const Sizes& s, const T* x, T* y, int32_t* places) {
  const PoolTable<T>& loops = table<T>();
  const int64_t row_cost = std::max<int64_t>(s.out_width * s.channels * at.size[0] * at.size[1], 1);
  const int64_t grain = std::max<int64_t>(1, 16384 / row_cost);
  parallel_for(on, s.images * s.out_height, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* picture = x + row / s.out_height * s.height * s.width * s.channels;
      for (int64_t ow = 0; ow < s.out_width; ++ow) {
        const int64_t out = (row * s.out_width + ow) * s.channels;
        bool first = true;
        for_window(at, s, row % s.out_height, ow, [&](int64_t place) {
          const auto p = static_cast<int32_t>(place);
          if (first) loops.start(s.channels, p, y + out, places + out);
          first = false;
          loops.take_larger(s.channels, p, picture + place * s.channels, y + out, places + out);
        });
        if (first) loops.start(s.channels, -1, y + out, places + out);  // the window saw padding only
      }
    }
  });
}

/// Windows may overlap: within a picture they add in the order of the outputs.
template <class T>
void backward(const Cpu& on, const Pool2d& at, const Sizes& s, const int32_t* places, const T* dy, T* dx) {
  const PoolTable<T>& loops = table<T>();
  parallel_for(on, s.images, 1, [&](int64_t image, int64_t) {
    const int64_t out_pixels = s.out_height * s.out_width, picture = s.height * s.width * s.channels;
    T* to = dx + image * picture;
    std::fill_n(to, picture, T(0));
    for (int64_t pixel = 0; pixel < out_pixels; ++pixel) {
      const int64_t out = (image * out_pixels + pixel) * s.channels;
      for_window(at, s, pixel / s.out_width, pixel % s.out_width, [&](int64_t place) {
        loops.give_back(s.channels, static_cast<int32_t>(place), dy + out, places + out,
                        to + place * s.channels);
      });
    }
  });
}

void check_pool(const Pool2d& at, const View& x, const View& y, const View& place, const char* op) {
  ISKRA_CHECK(x.channels_last() && y.channels_last() && place.channels_last(), op,
              ": pictures must be dense and channels-last, got ", x.shape, " with strides ", x.stride,
              " and ", y.shape, " with strides ", y.stride);
  ISKRA_CHECK(x.dtype == y.dtype && (x.dtype == DType::f32 || x.dtype == DType::f64), op, ": ",
              name_of(x.dtype), " to ", name_of(y.dtype),
              " is not supported on the CPU; use f32 or f64 for both");
  ISKRA_CHECK(place.dtype == DType::i32 && place.shape == y.shape, op, ": places must be i32 ", y.shape,
              ", got ", name_of(place.dtype), " ", place.shape);
  ISKRA_CHECK(x.size(2) * x.size(3) <= std::numeric_limits<int32_t>::max(), op, ": a picture of ", x.shape,
              " has too many pixels for i32 places");
  for (int axis = 0; axis < 2; ++axis) {
    const int64_t reach = x.size(2 + axis) + 2 * at.padding[axis] - at.size[axis];
    const int64_t expected = reach < 0 ? 0 : reach / at.stride[axis] + 1;
    ISKRA_CHECK(y.size(2 + axis) == expected && x.size(0) == y.size(0) && x.size(1) == y.size(1), op,
                ": pictures ", x.shape, " cannot give ", y.shape, "; expected size ", expected,
                " along axis ", 2 + axis);
  }
}

}  // namespace

void max_pool2d(Cpu on, const Pool2d& at, View x, MutView y, MutView place) {
  check_pool(at, x, y, place, "max_pool2d");
  if (y.numel() == 0) return;
  const Sizes s(x, y);
  if (x.dtype == DType::f32)
    forward(on, at, s, x.as<float>(), y.as<float>(), place.as<int32_t>());
  else
    forward(on, at, s, x.as<double>(), y.as<double>(), place.as<int32_t>());
}

void max_pool2d_backward(Cpu on, const Pool2d& at, View place, View dy, MutView dx) {
  check_pool(at, dx, dy, place, "max_pool2d_backward");
  if (dx.numel() == 0) return;
  const Sizes s(dx, dy);
  if (dy.dtype == DType::f32)
    backward(on, at, s, place.as<int32_t>(), dy.as<float>(), dx.as<float>());
  else
    backward(on, at, s, place.as<int32_t>(), dy.as<double>(), dx.as<double>());
}

}  // namespace iskra::kernels
