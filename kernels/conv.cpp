// Convolution: checks, the choice between oneDNN and our own, and the bias gradient.
#include <iskra/kernels/conv.h>

#include <algorithm>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>

namespace iskra::kernels {

WeightChunks::WeightChunks(const ConvShape& s) {
  constexpr int64_t kMost = 8, kMostValues = int64_t{1} << 24;  // 64 MiB of f32 partial sums
  constexpr double kLeastOperations = 2e6;
  count = std::min(s.images, kMost);
  const auto too_many = [&] {
    return s.operations() * static_cast<double>(s.images) < kLeastOperations * static_cast<double>(count) ||
           (count > 2 && count * s.weights() > kMostValues);
  };
  while (count > 1 && too_many()) count = (count + 1) / 2;
  images = (s.images + count - 1) / count;
  count = (s.images + images - 1) / images;
}

template <class T>
void add_partials(const Cpu& on, T* partials, int64_t count, int64_t n) {
  if (count <= 1) return;
  parallel_for(on, n, 16384, [=](int64_t begin, int64_t end) {
    for (int64_t chunk = 1; chunk < count; ++chunk) {
      const T* from = partials + chunk * n;
      for (int64_t i = begin; i < end; ++i) partials[i] += from[i];
    }
  });
}
template void add_partials(const Cpu&, float*, int64_t, int64_t);
template void add_partials(const Cpu&, double*, int64_t, int64_t);

namespace {

/// total (width) += the sum of rows [begin, end) of x, via a short sum of each 64 rows: f32 keeps more digits
/// so.
template <class T>
void add_rows(const T* x, int64_t begin, int64_t end, int64_t width, T* block_sum, T* total) {
  constexpr int64_t kRows = 64;
  for (int64_t first = begin; first < end; first += kRows) {
    std::fill_n(block_sum, width, T(0));
    for (int64_t row = first; row < std::min(first + kRows, end); ++row)
      for (int64_t i = 0; i < width; ++i) block_sum[i] += x[row * width + i];
    for (int64_t i = 0; i < width; ++i) total[i] += block_sum[i];
  }
}

/// dbias = beta * dbias + the sum of dy over all pixels of all pictures.
template <class T>
void bias_gradient(const Cpu& on, const ConvShape& s, const T* dy, T* dbias, T beta) {
  constexpr int64_t kMostChunks = 16, kLeastRows = 512;
  const int64_t rows = s.images * s.out_pixels();
  const int64_t chunk_rows = std::max(kLeastRows, (rows + kMostChunks - 1) / kMostChunks);
  const int64_t chunks = (rows + chunk_rows - 1) / chunk_rows;
  T* sums = scratch_of<T>(on, 2 * std::max<int64_t>(chunks, 1) * s.filters, "conv2d_backward_weight");
  T* block_sums = sums + std::max<int64_t>(chunks, 1) * s.filters;
  std::fill_n(sums, std::max<int64_t>(chunks, 1) * s.filters, T(0));
  parallel_for(on, rows, chunk_rows, [&](int64_t begin, int64_t end) {
    const int64_t at = begin / chunk_rows * s.filters;
    add_rows(dy, begin, end, s.filters, block_sums + at, sums + at);
  });
  add_partials(on, sums, chunks, s.filters);
  for (int64_t k = 0; k < s.filters; ++k) dbias[k] = (beta == T(0) ? T(0) : beta * dbias[k]) + sums[k];
}

ConvShape shape_of(const Conv2d& at, const View& x, const View& w, const View& y) {
  return {at,        x.size(0), x.size(1), x.size(2), x.size(3),
          w.size(0), w.size(2), w.size(3), y.size(2), y.size(3)};
}

void check_layout(const View& x, const View& w, const View& y, const char* op) {
  ISKRA_CHECK(x.rank() == 4 && y.rank() == 4 && w.rank() == 4, op, ": needs four axes, got x ", x.shape,
              ", w ", w.shape, ", y ", y.shape);
  ISKRA_CHECK(x.dtype == y.dtype && w.dtype == y.dtype, op, ": x is ", name_of(x.dtype), ", w ",
              name_of(w.dtype), ", y ", name_of(y.dtype), "; convert them to one type first");
  ISKRA_CHECK(y.dtype == DType::f32 || y.dtype == DType::f64, op, ": ", name_of(y.dtype),
              " is not supported on the CPU; use f32 or f64");
  ISKRA_CHECK(x.channels_last() && y.channels_last(), op,
              ": pictures must be dense and channels-last, got x ", x.shape, " with strides ", x.stride,
              " and y ", y.shape, " with strides ", y.stride);
  ISKRA_CHECK(w.contiguous(), op, ": weights must be dense (K,C/groups,R,S), got ", w.shape, " with strides ",
              w.stride);
}

ConvShape checked(const Conv2d& at, const View& x, const View& w, const View& y, const char* op) {
  check_layout(x, w, y, op);
  const ConvShape s = shape_of(at, x, w, y);
  ISKRA_CHECK(at.groups >= 1 && s.channels % at.groups == 0 && s.filters % at.groups == 0, op, ": ",
              s.channels, " channels and ", s.filters, " filters do not divide into ", at.groups, " groups");
  ISKRA_CHECK(w.size(1) == s.group_channels(), op, ": x has ", s.channels, " channels in ", at.groups,
              " groups, but w is ", w.shape);
  ISKRA_CHECK(y.size(0) == s.images && y.size(1) == s.filters, op, ": x ", x.shape, " and w ", w.shape,
              " cannot give y ", y.shape);
  for (int axis = 0; axis < 2; ++axis) {
    ISKRA_CHECK(at.stride[axis] >= 1 && at.dilation[axis] >= 1 && at.padding[axis] >= 0, op,
                ": stride and dilation must be at least 1 and padding at least 0, got ", at.stride[axis],
                ", ", at.dilation[axis], " and ", at.padding[axis]);
    const int64_t reach =
        x.size(2 + axis) + 2 * at.padding[axis] - at.dilation[axis] * (w.size(2 + axis) - 1) - 1;
    const int64_t expected = reach < 0 ? 0 : reach / at.stride[axis] + 1;
    ISKRA_CHECK(y.size(2 + axis) == expected, op, ": x ", x.shape, " and w ", w.shape, " cannot give y ",
                y.shape, "; expected size ", expected, " along axis ", 2 + axis);
  }
  return s;
}

bool is_f32(const View& x) { return x.dtype == DType::f32; }
bool by_vendor(const Cpu& on, const View& x) { return is_f32(x) && on.provider != Provider::native; }

template <class T>
void scale_by_beta(T* x, int64_t n, T beta) {
  if (beta == T(0)) std::fill_n(x, n, T(0));
}

template <class T>
void backward_weight(const Cpu& on, const ConvShape& s, const View& x, const View& dy, const MutView& dw,
                     const MutView& dbias, float weight_beta, float bias_beta) {
  if (dbias.defined()) bias_gradient(on, s, dy.as<T>(), dbias.as<T>(), static_cast<T>(bias_beta));
  if (!dw.defined() || s.weights() == 0) return;
  if (s.images * s.out_pixels() == 0)
    return scale_by_beta(dw.as<T>(), s.weights(), static_cast<T>(weight_beta));
  if constexpr (std::is_same_v<T, float>)
    if (by_vendor(on, x) &&
        vendor::conv2d_backward_weight(on, s, x.as<float>(), dy.as<float>(), dw.as<float>(), weight_beta))
      return;
  native::conv2d_backward_weight(on, s, x.as<T>(), dy.as<T>(), dw.as<T>(), static_cast<T>(weight_beta));
}

}  // namespace

void conv2d(Cpu on, const Conv2d& at, View x, View w, View bias, MutView y) {
  const ConvShape s = checked(at, x, w, y, "conv2d");
  ISKRA_CHECK(!bias.defined() || (bias.dtype == y.dtype && bias.contiguous() && bias.numel() == s.filters),
              "conv2d: bias ", bias.shape, " must be a dense vector of ", s.filters, " values of type ",
              name_of(y.dtype));
  if (y.numel() == 0) return;
  if (by_vendor(on, x) &&
      vendor::conv2d(on, s, x.as<float>(), w.as<float>(), bias.as<float>(), y.as<float>()))
    return;
  if (is_f32(x))
    native::conv2d(on, s, x.as<float>(), w.as<float>(), bias.as<float>(), y.as<float>());
  else
    native::conv2d(on, s, x.as<double>(), w.as<double>(), bias.as<double>(), y.as<double>());
}

void conv2d_backward_data(Cpu on, const Conv2d& at, View w, View dy, MutView dx) {
  const ConvShape s = checked(at, dx, w, dy, "conv2d_backward_data");
  if (dx.numel() == 0) return;
  if (dy.numel() == 0) return fill(on, dx, 0);
  if (by_vendor(on, dy) && vendor::conv2d_backward_data(on, s, w.as<float>(), dy.as<float>(), dx.as<float>()))
    return;
  if (is_f32(dy))
    native::conv2d_backward_data(on, s, w.as<float>(), dy.as<float>(), dx.as<float>());
  else
    native::conv2d_backward_data(on, s, w.as<double>(), dy.as<double>(), dx.as<double>());
}

void conv2d_backward_weight(Cpu on, const Conv2d& at, View x, View dy, MutView dw, MutView dbias,
                            float weight_beta, float bias_beta) {
  constexpr const char* kOp = "conv2d_backward_weight";
  ConvShape s;
  if (dw.defined()) {
    s = checked(at, x, dw, dy, kOp);
  } else {
    ISKRA_CHECK(dy.rank() == 4 && dy.channels_last() && (is_f32(dy) || dy.dtype == DType::f64), kOp,
                ": dy must be channels-last f32 or f64, got ", name_of(dy.dtype), " ", dy.shape,
                " with strides ", dy.stride);
    s = {at, dy.size(0), 0, 0, 0, dy.size(1), 0, 0, dy.size(2), dy.size(3)};
  }
  ISKRA_CHECK(!dbias.defined() || (dbias.dtype == dy.dtype && dbias.numel() == s.filters), kOp, ": dbias ",
              dbias.shape, " must be a dense vector of ", s.filters, " values of type ", name_of(dy.dtype));
  if (is_f32(dy))
    backward_weight<float>(on, s, x, dy, dw, dbias, weight_beta, bias_beta);
  else
    backward_weight<double>(on, s, x, dy, dw, dbias, weight_beta, bias_beta);
}

}  // namespace iskra::kernels
