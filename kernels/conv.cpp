// Convolution: checks, the choice between oneDNN and our own, and the bias gradient.
#include <iskra/kernels/conv.h>

#include <algorithm>
#include <type_traits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/winograd.h>

namespace iskra::kernels {

WeightChunks::WeightChunks(const ConvShape& s) {
  constexpr int64_t kMost = 8;
  constexpr double kLeastOperations = 2e6;
  count = std::min(s.images, kMost);
  const auto too_many = [&] {
    return s.operations() * static_cast<double>(s.images) < kLeastOperations * static_cast<double>(count) ||
           (count > 2 && count * s.weights() > kMostPartials);
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

template <class D>
void store_gradient(const Cpu& on, const Compute<D>* from, int64_t n, float beta, D* to) {
  parallel_for(on, n, 16384, [=](int64_t begin, int64_t end) {
    EpilogueRows rows;
    rows.rows = 1;
    rows.cols = end - begin;
    rows.accumulate = beta != 0;
    epilogue<D>().finish(rows, from + begin, nullptr, nullptr, nullptr, to + begin);
  });
}
template void store_gradient(const Cpu&, const float*, int64_t, float, float*);
template void store_gradient(const Cpu&, const double*, int64_t, float, double*);
template void store_gradient(const Cpu&, const float*, int64_t, float, bf16*);
template void store_gradient(const Cpu&, const float*, int64_t, float, f16*);

namespace {

/// total (width) += the sum of rows [begin, end) of x, via a short sum of each 64 rows: f32 keeps more digits
/// so.
template <class S, class T>
void add_rows(const S* x, int64_t begin, int64_t end, int64_t width, T* block_sum, T* total) {
  constexpr int64_t kRows = 64;
  for (int64_t first = begin; first < end; first += kRows) {
    std::fill_n(block_sum, width, T(0));
    for (int64_t row = first; row < std::min(first + kRows, end); ++row)
      for (int64_t i = 0; i < width; ++i) block_sum[i] += load(x[row * width + i]);
    for (int64_t i = 0; i < width; ++i) total[i] += block_sum[i];
  }
}

/// dbias = beta * dbias + the sum of dy over all pixels of all pictures.
template <class S, class D>
void bias_gradient(const Cpu& on, const ConvShape& s, const S* dy, D* dbias, float beta) {
  using T = Compute<S>;
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
  store_gradient(on, sums, s.filters, beta, dbias);
}

/// Calls f with a null pointer to the C++ type of a floating dtype.
template <class F>
void with_type(DType type, F&& f) {
  switch (type) {
    case DType::f64:
      return f(static_cast<double*>(nullptr));
    case DType::bf16:
      return f(static_cast<bf16*>(nullptr));
    case DType::f16:
      return f(static_cast<f16*>(nullptr));
    default:
      return f(static_cast<float*>(nullptr));
  }
}

bool may_transform(const Cpu& on) { return on.winograd && on.provider == Provider::fastest; }

template <class S>
inline constexpr bool kVendorType = std::is_same_v<S, float> || std::is_same_v<S, bf16>;

template <class S>
void forward(const Cpu& on, const ConvShape& s, const View& x, const View& w, const Epilogue& then,
             const MutView& y) {
  const ConvThen<S> last{widened_bias<S>(on, then.bias, "conv2d"), then.activation, then.residual.as<S>(),
                         then.preactivation.as<S>()};
  if constexpr (std::is_same_v<S, float>)
    if (may_transform(on) && winograd::pays(s))
      return winograd::conv2d(on, s, x.as<S>(), w.as<S>(), last, y.as<S>());
  if constexpr (kVendorType<S>)
    if (on.provider != Provider::native && vendor::conv2d(on, s, x.as<S>(), w.as<S>(), last, y.as<S>()))
      return;
  native::conv2d(on, s, x.as<S>(), w.as<S>(), last, y.as<S>());
}

template <class S>
void backward_data(const Cpu& on, const ConvShape& s, const View& w, const View& dy, const View& bias,
                   const MutView& dx, const char* op) {
  const Compute<S>* wide_bias = widened_bias<S>(on, bias, op);
  if constexpr (std::is_same_v<S, float>)
    if (may_transform(on) && winograd::pays(s))
      return winograd::conv2d_backward_data(on, s, w.as<S>(), dy.as<S>(), wide_bias, dx.as<S>());
  // To three channels or so oneDNN is slow: 13 GFLOP/s beside our 32 for a 3x3 filter in f32, 13 beside 70
  // for patches in bf16 (a core with AVX-512).
  const bool slow = s.group_channels() <= 4 && (std::is_same_v<S, float> == (s.at.stride[0] == 1));
  if constexpr (kVendorType<S>)
    if (on.provider != Provider::native && !(slow && on.provider == Provider::fastest) &&
        vendor::conv2d_backward_data(on, s, w.as<S>(), dy.as<S>(), wide_bias, dx.as<S>()))
      return;
  native::conv2d_backward_data(on, s, w.as<S>(), dy.as<S>(), wide_bias, dx.as<S>());
}

template <class S, class D>
void weight_gradient(const Cpu& on, const ConvShape& s, const View& x, const View& dy, const MutView& dw,
                     float beta) {
  if (s.images * s.out_pixels() == 0) {
    if (beta == 0) fill(on, dw, 0);
    return;
  }
  if constexpr (std::is_same_v<S, float> && std::is_same_v<D, float>)
    if (may_transform(on) && winograd::pays_for_weights(s))
      return winograd::conv2d_backward_weight(on, s, x.as<S>(), dy.as<S>(), dw.as<D>(), beta);
  if constexpr (kVendorType<S>)
    if (on.provider != Provider::native &&
        vendor::conv2d_backward_weight(on, s, x.as<S>(), dy.as<S>(), dw.as<D>(), beta))
      return;
  native::conv2d_backward_weight(on, s, x.as<S>(), dy.as<S>(), dw.as<D>(), beta);
}

template <class S>
void backward_weight(const Cpu& on, const ConvShape& s, const View& x, const View& dy, const MutView& dw,
                     const MutView& dbias, float weight_beta, float bias_beta) {
  if (dbias.defined()) {
    if (dbias.dtype == dy.dtype)
      bias_gradient(on, s, dy.as<S>(), dbias.as<S>(), bias_beta);
    else if constexpr (!std::is_same_v<S, double>)
      bias_gradient(on, s, dy.as<S>(), dbias.as<float>(), bias_beta);
  }
  if (!dw.defined() || s.weights() == 0) return;
  if (dw.dtype == dy.dtype)
    weight_gradient<S, S>(on, s, x, dy, dw, weight_beta);
  else if constexpr (!std::is_same_v<S, double>)
    weight_gradient<S, float>(on, s, x, dy, dw, weight_beta);
}

}  // namespace

void conv2d(Cpu on, const Conv2d& at, View x, View w, const Epilogue& then, MutView y) {
  constexpr const char* kOp = "conv2d";
  const ConvShape s = checked_conv(at, x, w, y, kOp);
  check_bias(then.bias, s.filters, y.dtype, kOp);
  check_like_y(then.residual, y, kOp, "residual");
  check_like_y(then.preactivation, y, kOp, "preactivation");
  if (y.numel() == 0) return;
  with_type(y.dtype, [&]<class S>(S*) { forward<S>(on, s, x, w, then, y); });
}

void conv2d_backward_data(Cpu on, const Conv2d& at, View w, View dy, MutView dx) {
  constexpr const char* kOp = "conv2d_backward_data";
  const ConvShape s = checked_conv(at, dx, w, dy, kOp);
  if (dx.numel() == 0) return;
  if (dy.numel() == 0) return fill(on, dx, 0);
  with_type(dy.dtype, [&]<class S>(S*) { backward_data<S>(on, s, w, dy, {}, dx, kOp); });
}

void conv_transpose2d(Cpu on, const Conv2d& at, View x, View w, View bias, MutView y) {
  constexpr const char* kOp = "conv_transpose2d";
  const ConvShape s = checked_conv(at, y, w, x, kOp);
  check_bias(bias, s.channels, y.dtype, kOp);
  if (y.numel() == 0) return;
  with_type(y.dtype, [&]<class S>(S*) { backward_data<S>(on, s, w, x, bias, y, kOp); });
}

void conv2d_backward_weight(Cpu on, const Conv2d& at, View x, View dy, MutView dw, MutView dbias,
                            float weight_beta, float bias_beta) {
  const ConvShape s = checked_conv_gradients(at, x, dy, dw, dbias);
  with_type(dy.dtype,
            [&]<class S>(S*) { backward_weight<S>(on, s, x, dy, dw, dbias, weight_beta, bias_beta); });
}

}  // namespace iskra::kernels
