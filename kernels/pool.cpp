// Maxima and means over windows, channels-last: the loops over a window's pixels are outside, the channels
// are the vector. Gradients are gathered: each input pixel sums over the windows that hold it, in their
// order, so that threads share nothing and 16-bit elements are rounded once.
#include <algorithm>
#include <limits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/pool.isa.h>
#include <iskra/kernels/pool_windows.h>
#include <iskra/kernels/row_kernels.h>

namespace iskra::kernels {
namespace {

const PoolTable& table() {
  static const PoolTable& chosen = by_isa(v2::pool_table, v3::pool_table, v4::pool_table);
  return chosen;
}

/// The windows along one axis, tables in temporary memory.
class AxisWindows {
 public:
  AxisWindows(const Cpu& on, const Pool2d& at, int axis, int64_t in, int64_t out, const char* op)
      : axis_(at, axis, in, out),
        windows_(scratch_of<PoolAxis::Window>(on, out, op)),
        over_(scratch_of<PoolAxis::Windows>(on, in, op)) {
    for (int64_t o = 0; o < out; ++o) windows_[o] = axis_.window(o);
    for (int64_t i = 0; i < in; ++i) over_[i] = axis_.over(i);
  }

  int64_t counted(int64_t out) const { return windows_[out].counted; }
  /// Calls f(place) for the places of window `out` inside the picture.
  template <class F>
  void for_places(int64_t out, F&& f) const {
    for (int64_t i = windows_[out].begin; i < windows_[out].end; i += axis_.step) f(i);
  }
  /// Calls f(out) for the windows that hold `place`.
  template <class F>
  void for_windows(int64_t place, F&& f) const {
    for (int64_t out = over_[place].begin; out < over_[place].end; ++out)
      if (axis_.holds(out, place)) f(out);
  }

 private:
  PoolAxis axis_;
  PoolAxis::Window* windows_;
  PoolAxis::Windows* over_;
};

struct Pool {
  int64_t images, channels, height, width, out_height, out_width;
  int type;
  AxisWindows rows, cols;
  Pool(const Cpu& on, const Pool2d& at, const View& x, const View& y, const char* op)
      : images(x.size(0)),
        channels(x.size(1)),
        height(x.size(2)),
        width(x.size(3)),
        out_height(y.size(2)),
        out_width(y.size(3)),
        type(floating_type_index(x.dtype, op)),
        rows(on, at, 0, height, out_height, op),
        cols(on, at, 1, width, out_width, op) {}
  size_t acc_bytes(DType dtype) const {
    return size_of(computing_dtype(dtype)) * static_cast<size_t>(channels);
  }
  /// What averages of window (oh, ow) are multiplied by; a window of nothing gives nothing.
  double share(int64_t oh, int64_t ow) const {
    const int64_t count = rows.counted(oh) * cols.counted(ow);
    return count > 0 ? 1.0 / static_cast<double>(count) : 0.0;
  }
};

/// Calls body(row, memory) for every row of all pictures, in pieces of some 16k elements.
template <class F>
void for_picture_rows(const Cpu& on, int64_t rows, int64_t cost, size_t bytes, const char* op, F body) {
  for_rows(on, rows, std::max<int64_t>(cost, 1), bytes, op, [&](int64_t first, int64_t count, char* memory) {
    for (int64_t row = first; row < first + count; ++row) body(row, memory);
  });
}

}  // namespace

void check_pool(const Pool2d& at, const View& x, const View& y, const char* op) {
  ISKRA_CHECK(x.channels_last() && y.channels_last(), op, ": pictures must be dense and channels-last, got ",
              x.shape, " with strides ", x.stride, " and ", y.shape, " with strides ", y.stride);
  ISKRA_CHECK(x.dtype == y.dtype, op, ": ", name_of(x.dtype), " to ", name_of(y.dtype),
              " is not supported; use one dtype for both");
  ISKRA_CHECK(x.size(0) == y.size(0) && x.size(1) == y.size(1), op, ": pictures ", x.shape, " cannot give ",
              y.shape);
  for (int axis = 0; axis < 2 && !at.adaptive; ++axis) {
    const int64_t expected = pooled_size(at, axis, x.size(2 + axis));
    ISKRA_CHECK(y.size(2 + axis) == expected, op, ": pictures ", x.shape, " cannot give ", y.shape,
                "; expected size ", expected, " along axis ", 2 + axis);
  }
}

void check_pool_places(const View& x, const View& y, const View& place, const char* op) {
  ISKRA_CHECK(place.dtype == DType::i32 && place.shape == y.shape && place.channels_last(), op,
              ": places must be channels-last i32 ", y.shape, ", got ", name_of(place.dtype), " ",
              place.shape);
  ISKRA_CHECK(x.size(2) * x.size(3) <= std::numeric_limits<int32_t>::max(), op, ": a picture of ", x.shape,
              " has too many pixels for i32 places");
}

int64_t pooled_size(const Pool2d& at, int axis, int64_t size) {
  const int64_t window = at.dilation[axis] * (at.size[axis] - 1) + 1, stride = at.stride[axis];
  const int64_t reach = size + 2 * at.padding[axis] - window;
  if (reach < 0) return 0;
  int64_t count = (reach + (at.ceil_mode ? stride - 1 : 0)) / stride + 1;
  // The last window begins inside the picture or its first padding.
  if (at.ceil_mode && (count - 1) * stride >= size + at.padding[axis]) --count;
  return count;
}

void max_pool2d(Cpu on, const Pool2d& at, View x, MutView y, MutView place) {
  constexpr const char* kName = "max_pool2d";
  check_pool(at, x, y, kName);
  if (place.defined()) check_pool_places(x, y, place, kName);
  if (y.numel() == 0) return;
  const Pool s(on, at, x, y, kName);
  const int64_t cost = s.out_width * s.channels * 4;
  for_picture_rows(on, s.images * s.out_height, cost, 0, kName, [&](int64_t row, char*) {
    const int64_t picture = row / s.out_height * s.height * s.width;
    for (int64_t ow = 0; ow < s.out_width; ++ow) {
      const int64_t out = (row * s.out_width + ow) * s.channels;
      int32_t* places = place.defined() ? place.as<int32_t>() + out : nullptr;
      void* to = kernels::at(y, out);
      bool begun = false;
      s.rows.for_places(row % s.out_height, [&](int64_t h) {
        s.cols.for_places(ow, [&](int64_t w) {
          const int64_t pixel = h * s.width + w;
          auto take = begun ? table().take_larger[s.type] : table().first[s.type];
          take(s.channels, static_cast<int32_t>(pixel), kernels::at(x, (picture + pixel) * s.channels), to,
               places);
          begun = true;
        });
      });
      if (!begun) table().lowest[s.type](s.channels, to, places);
    }
  });
}

void max_pool2d_backward(Cpu on, const Pool2d& at, View place, View dy, MutView dx) {
  constexpr const char* kName = "max_pool2d_backward";
  check_pool(at, dx, dy, kName);
  check_pool_places(dx, dy, place, kName);
  if (dx.numel() == 0) return;
  const Pool s(on, at, dx, dy, kName);
  const int64_t cost = s.width * s.channels * 2;
  for_picture_rows(on, s.images * s.height, cost, s.acc_bytes(dy.dtype), kName, [&](int64_t row, char* acc) {
    const int64_t h = row % s.height, first_out = row / s.height * s.out_height;
    for (int64_t w = 0; w < s.width; ++w) {
      table().clear[s.type](s.channels, acc);
      s.rows.for_windows(h, [&](int64_t oh) {
        s.cols.for_windows(w, [&](int64_t ow) {
          const int64_t out = ((first_out + oh) * s.out_width + ow) * s.channels;
          table().give_back[s.type](s.channels, static_cast<int32_t>(h * s.width + w), kernels::at(dy, out),
                                    place.as<int32_t>() + out, acc);
        });
      });
      table().finish[s.type](s.channels, acc, 1, kernels::at(dx, (row * s.width + w) * s.channels));
    }
  });
}

void avg_pool2d(Cpu on, const Pool2d& at, View x, MutView y) {
  constexpr const char* kName = "avg_pool2d";
  check_pool(at, x, y, kName);
  if (y.numel() == 0) return;
  const Pool s(on, at, x, y, kName);
  const int64_t cost = s.out_width * s.channels * 4;
  for_picture_rows(on, s.images * s.out_height, cost, s.acc_bytes(x.dtype), kName,
                   [&](int64_t row, char* acc) {
                     const int64_t oh = row % s.out_height, picture = row / s.out_height * s.height * s.width;
                     for (int64_t ow = 0; ow < s.out_width; ++ow) {
                       table().clear[s.type](s.channels, acc);
                       s.rows.for_places(oh, [&](int64_t h) {
                         s.cols.for_places(ow, [&](int64_t w) {
                           table().add[s.type](s.channels, 1,
                                               kernels::at(x, (picture + h * s.width + w) * s.channels), acc);
                         });
                       });
                       table().finish[s.type](s.channels, acc, s.share(oh, ow),
                                              kernels::at(y, (row * s.out_width + ow) * s.channels));
                     }
                   });
}

void avg_pool2d_backward(Cpu on, const Pool2d& at, View dy, MutView dx) {
  constexpr const char* kName = "avg_pool2d_backward";
  check_pool(at, dx, dy, kName);
  if (dx.numel() == 0) return;
  const Pool s(on, at, dx, dy, kName);
  const int64_t cost = s.width * s.channels * 2;
  for_picture_rows(on, s.images * s.height, cost, s.acc_bytes(dy.dtype), kName, [&](int64_t row, char* acc) {
    const int64_t h = row % s.height, first_out = row / s.height * s.out_height;
    for (int64_t w = 0; w < s.width; ++w) {
      table().clear[s.type](s.channels, acc);
      s.rows.for_windows(h, [&](int64_t oh) {
        s.cols.for_windows(w, [&](int64_t ow) {
          const int64_t out = ((first_out + oh) * s.out_width + ow) * s.channels;
          table().add[s.type](s.channels, s.share(oh, ow), kernels::at(dy, out), acc);
        });
      });
      table().finish[s.type](s.channels, acc, 1, kernels::at(dx, (row * s.width + w) * s.channels));
    }
  });
}

}  // namespace iskra::kernels
