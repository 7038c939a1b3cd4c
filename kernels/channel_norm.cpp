// Norms whose statistics are of channels: batch, group and instance norm are one computation on x (S,R,C), S
// samples of R pixels with C channels each, whose statistics are taken over the R pixels of C/G channels in
// each of G groups. Batch norm is one sample with all pixels of the batch and a group per channel.
//
// The pixels of a sample are cut into chunks that stay in the cache, each with mean and squares of its own,
// joined in double (Chan, Golub and LeVeque 1979): x is read from memory once, and a mean that is large
// beside the deviation costs no digits.
#include <cmath>

#include <iskra/kernels/channel_norm.isa.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/scratch.h>

namespace iskra::kernels {
namespace {

const ChannelNormTable& table() {
  static const ChannelNormTable& chosen =
      by_isa(v2::channel_norm_table, v3::channel_norm_table, v4::channel_norm_table);
  return chosen;
}

struct Sizes {
  int64_t samples, rows, channels, chunk_rows, chunks;  // chunks of each sample
  explicit Sizes(const View& x)
      : samples(x.size(0)),
        rows(x.size(1)),
        channels(x.size(2)),
        chunk_rows(std::max<int64_t>(16, 8192 / std::max<int64_t>(channels, 1))),
        chunks((rows + chunk_rows - 1) / chunk_rows) {}
  int64_t rows_of(int64_t chunk) const { return std::min(chunk_rows, rows - chunk * chunk_rows); }
};

/// The rows of one chunk, every sample's chunks in order.
struct Chunk {
  int64_t sample, rows, element;  ///< element: of the first one in x
  Chunk(const Sizes& s, int64_t number)
      : sample(number / s.chunks),
        rows(s.rows_of(number % s.chunks)),
        element((sample * s.rows + number % s.chunks * s.chunk_rows) * s.channels) {}
};

template <class T>
void statistics(const Cpu& on, const View& x, const MutView& mean, const MutView& var) {
  constexpr const char* kName = "channel_statistics";
  auto body = table().moments[floating_type_index(x.dtype, kName)];
  const Sizes s(x);
  const int64_t width = s.channels, groups = mean.size(1), members = width / groups;
  T* moments = scratch_of<T>(on, s.samples * s.chunks * 2 * width, kName);
  parallel_for(on, s.samples * s.chunks, 1, [&](int64_t number, int64_t) {
    const Chunk chunk(s, number);
    T* to = moments + number * 2 * width;
    body({.x = at(x, chunk.element), .rows = chunk.rows, .cols = width, .first = to, .second = to + width});
  });
  double* joined = scratch_of<double>(on, 2 * s.samples * groups, kName);
  const double count = static_cast<double>(s.rows * members);
  const int64_t grain = std::max<int64_t>(1, 16 / members);
  const int64_t pieces = (groups + grain - 1) / grain;  // of a sample
  parallel_for(on, s.samples * pieces, 1, [&](int64_t piece, int64_t) {
    const int64_t sample = piece / pieces, first = piece % pieces * grain;
    const int64_t last = std::min(groups, first + grain);
    double *sum = joined + sample * groups, *squares = joined + (s.samples + sample) * groups;
    auto for_all = [&](auto f) {
      for (int64_t chunk = 0; chunk < s.chunks; ++chunk) {
        const T* from = moments + (sample * s.chunks + chunk) * 2 * width;
        const auto n = static_cast<double>(s.rows_of(chunk));
        for (int64_t c = first * members; c < last * members; ++c)
          f(c / members, n, static_cast<double>(from[c]), static_cast<double>(from[width + c]));
      }
    };
    std::fill(sum + first, sum + last, 0.0);
    for_all([&](int64_t g, double n, double m, double) { sum[g] += n * m; });
    for (int64_t g = first; g < last; ++g) sum[g] /= count;
    std::fill(squares + first, squares + last, 0.0);
    for_all([&](int64_t g, double n, double m, double around) {
      squares[g] += around + n * (m - sum[g]) * (m - sum[g]);
    });
    for (int64_t g = first; g < last; ++g) {
      mean.as<T>()[sample * groups + g] = static_cast<T>(sum[g]);
      var.as<T>()[sample * groups + g] = static_cast<T>(squares[g] / count);
    }
  });
}

/// Calls body(chunk, columns) for all chunks; `columns` are a thread's own vectors (count, C), set up by
/// set_up(sample, columns) whenever the sample changes.
template <class T, class SetUp, class Body>
void for_chunks(const Cpu& on, const Sizes& s, int64_t count, const char* op, SetUp set_up, Body body) {
  const size_t bytes = sizeof(T) * static_cast<size_t>(count * s.channels);
  parallel_lanes(on, s.samples * s.chunks, bytes, op, [&](Pieces& pieces, char* memory) {
    T* columns = reinterpret_cast<T*>(memory);
    int64_t sample = -1;
    for (int64_t number = 0; pieces.next(number);) {
      const Chunk chunk(s, number);
      if (chunk.sample != sample) set_up(chunk.sample, columns);
      sample = chunk.sample;
      body(number, chunk, columns);
    }
  });
}

/// Statistics of one channel of one sample.
template <class T>
struct ChannelStatistics {
  const T *mean, *var;
  int64_t groups, members;
  T eps;
  ChannelStatistics(const View& mean_, const View& var_, int64_t channels, double eps_)
      : mean(mean_.as<T>()),
        var(var_.as<T>()),
        groups(mean_.size(1)),
        members(channels / groups),
        eps(static_cast<T>(eps_)) {}
  int64_t place(int64_t sample, int64_t c) const { return sample * groups + c / members; }
  T mean_of(int64_t sample, int64_t c) const { return mean[place(sample, c)]; }
  T rstd_of(int64_t sample, int64_t c) const { return T(1) / std::sqrt(var[place(sample, c)] + eps); }
};

template <class T>
void forward(const Cpu& on, const View& x, const View& mean, const View& var, const View& weight,
             const View& bias, double eps, const MutView& y) {
  constexpr const char* kName = "channel_norm";
  auto body = table().apply[floating_type_index(x.dtype, kName)];
  const Sizes s(x);
  const int64_t width = s.channels;
  const ChannelStatistics<T> statistics_of(mean, var, width, eps);
  const T* w = static_cast<const T*>(computed_parameter(on, weight, x.dtype, kName));
  const T* b = static_cast<const T*>(computed_parameter(on, bias, x.dtype, kName));
  auto set_up = [&](int64_t sample, T* columns) {
    for (int64_t c = 0; c < width; ++c) {
      columns[c] = statistics_of.mean_of(sample, c);
      columns[width + c] = statistics_of.rstd_of(sample, c) * (w != nullptr ? w[c] : T(1));
      columns[2 * width + c] = b != nullptr ? b[c] : T(0);
    }
  };
  for_chunks<T>(on, s, 3, kName, set_up, [&](int64_t, const Chunk& chunk, const T* columns) {
    body({.x = at(x, chunk.element),
          .y = at(y, chunk.element),
          .rows = chunk.rows,
          .cols = width,
          .mean = columns,
          .scale = columns + width,
          .shift = columns + 2 * width});
  });
}

// The sums of dy and of dy * h, h = (x - mean) * rstd, of every channel of every sample: (S,2,C).
template <class T>
const T* gradient_sums(const Cpu& on, const Sizes& s, const View& x, const View& dy,
                       const ChannelStatistics<T>& statistics_of) {
  constexpr const char* kName = "channel_norm_backward";
  auto body = table().sums[floating_type_index(x.dtype, kName)];
  const int64_t width = s.channels;
  T* partial = scratch_of<T>(on, std::max<int64_t>(s.chunks, 1) * s.samples * 2 * width, kName);
  T* sums = scratch_of<T>(on, s.samples * 2 * width, kName);
  auto set_up = [&](int64_t sample, T* columns) {
    for (int64_t c = 0; c < width; ++c) {
      columns[c] = statistics_of.mean_of(sample, c);
      columns[width + c] = statistics_of.rstd_of(sample, c);
    }
  };
  for_chunks<T>(on, s, 2, kName, set_up, [&](int64_t number, const Chunk& chunk, const T* columns) {
    T* to = partial + number * 2 * width;
    body({.x = at(x, chunk.element),
          .dy = at(dy, chunk.element),
          .rows = chunk.rows,
          .cols = width,
          .mean = columns,
          .scale = columns + width,
          .first = to,
          .second = to + width});
  });
  parallel_for(on, s.samples * 2 * width, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) sums[i] = T(0);
    if (s.chunks == 0) return;
    for (int64_t i = begin; i < end;) {  // column i % (2C) of sample i / (2C)
      const int64_t sample = i / (2 * width), column = i % (2 * width);
      const int64_t count = std::min(end - i, 2 * width - column);
      T* of_sample = partial + sample * s.chunks * 2 * width;
      add_halves(of_sample, 2 * width, 0, s.chunks, column, column + count);
      std::copy_n(of_sample + column, count, sums + i);
      i += count;
    }
  });
  return sums;
}

/// dweight (C) and dbias (C): sums over the samples, in order.
template <class T>
void parameter_gradient(const Cpu& on, const Sizes& s, const T* sums, int64_t part, const MutView& gradient,
                        float beta) {
  T* total = scratch_of<T>(on, s.channels, "channel_norm_backward");
  std::fill_n(total, s.channels, T(0));
  for (int64_t sample = 0; sample < s.samples; ++sample)
    for (int64_t c = 0; c < s.channels; ++c) total[c] += sums[(2 * sample + part) * s.channels + c];
  store_gradient(total, gradient, beta);
}

// With g = dy * weight: dx = rstd * (g - mean(g) - h * mean(g * h)), the means over a group; fixed statistics
// leave only rstd * g.
// dx alone of backward below, given the sums.
template <class T>
void input_gradient(const Cpu& on, const Sizes& s, const ChannelStatistics<T>& of, const T* sums,
                    const View& x, bool fixed, const View& weight, const View& dy, const MutView& dx) {
  constexpr const char* kName = "channel_norm_backward";
  const int64_t width = s.channels;
  const T* w = static_cast<const T*>(computed_parameter(on, weight, dx.dtype, kName));
  const T inverse = T(1) / static_cast<T>(s.rows * of.members);
  auto set_up = [&](int64_t sample, T* columns) {
    for (int64_t first = 0; first < width; first += of.members) {
      T mean_g = 0, mean_gh = 0;
      for (int64_t c = first; c < first + of.members && !fixed; ++c) {
        mean_g += (w != nullptr ? w[c] : T(1)) * sums[2 * sample * width + c];
        mean_gh += (w != nullptr ? w[c] : T(1)) * sums[(2 * sample + 1) * width + c];
      }
      const T rstd = of.rstd_of(sample, first);
      for (int64_t c = first; c < first + of.members; ++c) {
        columns[c] = of.mean_of(sample, c);
        columns[width + c] = rstd * (w != nullptr ? w[c] : T(1));
        columns[2 * width + c] = fixed ? T(0) : -rstd * (mean_g * inverse);
        columns[3 * width + c] = fixed ? T(0) : -rstd * rstd * (mean_gh * inverse);
      }
    }
  };
  const int type = floating_type_index(dx.dtype, kName);
  for_chunks<T>(on, s, 4, kName, set_up, [&](int64_t, const Chunk& chunk, const T* columns) {
    ChannelRows run{.x = fixed ? nullptr : at(x, chunk.element),
                    .dy = at(dy, chunk.element),
                    .y = at(dx, chunk.element),
                    .rows = chunk.rows,
                    .cols = width,
                    .mean = columns,
                    .scale = columns + width,
                    .shift = columns + 2 * width,
                    .slope = columns + 3 * width};
    if (!fixed) return table().backward[type](run);
    run.x = run.dy;
    run.mean = run.shift;  // zeros
    table().apply[type](run);
  });
}

template <class T>
void backward(const Cpu& on, const View& x, const View& mean, const View& var, bool fixed, const View& weight,
              const View& dy, double eps, const MutView& dx, const MutView& dweight, const MutView& dbias,
              float weight_beta, float bias_beta) {
  const Sizes s(dy);
  const ChannelStatistics<T> of(mean, var, s.channels, eps);
  const bool summed = (dx.defined() && !fixed) || dweight.defined() || dbias.defined();
  const T* sums = summed ? gradient_sums<T>(on, s, x, dy, of) : nullptr;
  if (dweight.defined()) parameter_gradient(on, s, sums, 1, dweight, weight_beta);
  if (dbias.defined()) parameter_gradient(on, s, sums, 0, dbias, bias_beta);
  if (dx.defined()) input_gradient<T>(on, s, of, sums, x, fixed, weight, dy, dx);
}

template <class T>
void blend(const MutView& running, const View& batch, double momentum, double factor) {
  for (int64_t c = 0; c < running.numel(); ++c) {
    const double now = factor * static_cast<double>(batch.as<T>()[c]);
    T& value = running.as<T>()[c];
    value = static_cast<T>((1 - momentum) * static_cast<double>(value) + momentum * now);
  }
}

}  // namespace

void channel_statistics(Cpu on, View x, MutView mean, MutView var) {
  if (mean.numel() == 0) return;
  (x.dtype == DType::f64 ? statistics<double> : statistics<float>)(on, x, mean, var);
}

void channel_norm(Cpu on, View x, View mean, View var, View weight, View bias, double eps, MutView y) {
  if (x.numel() == 0) return;
  (x.dtype == DType::f64 ? forward<double> : forward<float>)(on, x, mean, var, weight, bias, eps, y);
}

void channel_norm_backward(Cpu on, View x, View mean, View var, bool fixed, View weight, View dy, double eps,
                           MutView dx, MutView dweight, MutView dbias, float weight_beta, float bias_beta) {
  auto body = dy.dtype == DType::f64 ? backward<double> : backward<float>;
  body(on, x, mean, var, fixed, weight, dy, eps, dx, dweight, dbias, weight_beta, bias_beta);
}

void blend_statistics(Cpu, View batch, double momentum, double factor, MutView running) {
  (running.dtype == DType::f64 ? blend<double> : blend<float>)(running, batch, momentum, factor);
}

}  // namespace iskra::kernels
