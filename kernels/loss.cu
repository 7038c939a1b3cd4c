// Losses on CUDA: cross-entropy of rows with labels or with distributions, losses of pairs, and cosine
// similarity. A team of threads takes a row. Sums over rows and elements are of fixed pieces, which one block
// puts together in f64.
#include <limits>

#include <iskra/kernels/check.h>
#include <iskra/kernels/cosine_ops.h>
#include <iskra/kernels/gpu.h>
#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pair_loss_ops.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gpu_convert.cuh>
#include <iskra/kernels/gpu_row_team.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels {
namespace {

// ----------------------------------------------------------------------------------------------------
// cross-entropy

/// Rows, and what their predictions are compared with: q(c) = weight(c) * (keep * t(c) + off), and keep *
/// weight(label) more at the label.
template <class S>
struct Rows {
  using T = Computed<S>;
  const S* x;
  const S* t;            ///< or null: labels
  const int64_t* label;  ///< or null
  const void* weight;    ///< or null: ones
  DType weight_dtype;
  int64_t rows, cols, ignored;
  T keep, off;

  DEV T weight_of(int64_t c) const { return weight == nullptr ? T(1) : load_as<T>(weight, weight_dtype, c); }
  DEV T wanted(int64_t c, S of) const {
    return weight_of(c) * (t != nullptr ? keep * static_cast<T>(load(of)) + off : off);
  }
  DEV bool has_label(int64_t row) const { return label[row] >= 0 && label[row] < cols; }
};

/// e^x and q (x - …) added up beside the largest x so far, which nothing needs to be known before.
template <class T>
struct Online {
  T largest = std::numeric_limits<T>::lowest();
  T sum = 0;     ///< of e^(x - largest)
  T wanted = 0;  ///< of q
  T cross = 0;   ///< of q (largest - x)
  DEV void raise(T to) {
    if (!(to > largest)) return;
    sum *= math::exp_below(largest - to);
    if (wanted != T(0)) cross += wanted * (to - largest);  // not 0 times infinity
    largest = to;
  }
};

/// This thread's part of a row. Without `normalize`, x are logarithms of probabilities already.
template <class S, class T = Computed<S>>
DEV Online<T> gather_row(const RowTeam& team, const Rows<S>& at, int64_t row, bool normalize) {
  Online<T> of;
  if (!normalize) of.largest = 0;
  bool summed = at.t != nullptr || at.off != T(0);
  const S* from = at.x + row * at.cols;
  for (int64_t c = int64_t{team.lane()} * kPack<S>; c < at.cols; c += int64_t{team.threads()} * kPack<S>) {
    S x[kPack<S>], t[kPack<S>];
    int count = load_pack(from, at.cols, c, x);
    if (at.t != nullptr) load_pack(at.t + row * at.cols, at.cols, c, t);
    if (normalize) {
      T high = of.largest;
      for (int j = 0; j < kPack<S>; ++j) {
        if (j < count) high = Largest::both(high, static_cast<T>(load(x[j])));
      }
      of.raise(high);
    }
    for (int j = 0; j < kPack<S>; ++j) {
      if (j >= count) break;
      T value = load(x[j]);
      if (normalize) of.sum += math::exp_below(value - of.largest);
      if (!summed) continue;
      T q = at.wanted(c + j, at.t != nullptr ? t[j] : S{});
      of.wanted += q;
      of.cross += q * (of.largest - value);
    }
  }
  return of;
}

/// The loss of each row, what it counts in the mean, and the logarithm of its sum.
template <class S>
__global__ void __launch_bounds__(kTeamThreads, sizeof(S) == 8 ? 2 : 4)
    cross_entropy_rows(RowTeam team, Rows<S> at, S* loss, Computed<S>* value_of, Computed<S>* count_of,
                       Computed<S>* lse) {
  using T = Computed<S>;
  bool normalize = lse != nullptr, summed = at.t != nullptr || at.off != T(0);
  for (int64_t row = team.first(); row < at.rows; row += team.step()) {
    Online<T> of;
    if (normalize || summed) of = gather_row(team, at, row, normalize);
    T log_sum = 0;
    if (normalize) {
      of.raise(team.template over<Largest>(of.largest));
      of.sum = team.template over<Sum>(of.sum);
      log_sum = of.sum > T(0) ? math::log(of.sum) : static_cast<T>(__builtin_nanf(""));
    } else {
      of.largest = 0;
    }
    T value = 0, count = 1;
    if (summed) {
      T cross = team.template over<Sum>(of.cross), wanted = team.template over<Sum>(of.wanted);
      value = cross + wanted * log_sum;
    }
    if (team.lane() > 0) continue;
    if (at.label != nullptr) {
      int64_t label = at.label[row];
      bool ignored = label == at.ignored, known = !ignored && at.has_label(row);
      count = known ? at.weight_of(label) : T(0);
      if (known)
        value += at.keep * count * (of.largest - load(at.x[row * at.cols + label]) + log_sum);
      else
        value = ignored ? T(0) : static_cast<T>(__builtin_nanf(""));
    }
    if (normalize) lse[row] = of.largest + log_sum;
    if (loss != nullptr) store(value, loss[row]);
    if (value_of != nullptr) value_of[row] = value;
    count_of[row] = count;
  }
}

/// What the gradients of one row need.
template <class T>
struct RowSlope {
  T scale, lse;
  bool normalized;
  int64_t label;  ///< or -1
  T hot;          ///< keep * weight of the label
  T total;        ///< sum of q, the label's share included
  DEV T of(int64_t c, T x, T q) const {
    T slope = normalized ? scale * (total * math::exp(x - lse) - q) : -scale * q;
    return c == label ? slope - scale * hot : slope;
  }
};

template <class S, class T = Computed<S>>
DEV RowSlope<T> slope_of_row(const RowTeam& team, const Rows<S>& at, int64_t row, T scale, const T* lse) {
  RowSlope<T> slope{scale, lse != nullptr ? lse[row] : T(0), lse != nullptr, -1, 0, 0};
  if (at.label != nullptr) {
    if (at.has_label(row)) {
      slope.label = at.label[row];
      slope.hot = at.keep * at.weight_of(slope.label);
    } else {
      slope.scale = static_cast<T>(__builtin_nanf(""));
    }
  }
  if (lse == nullptr) return slope;  // the sum counts for nothing
  if (at.t == nullptr && at.weight == nullptr) {
    slope.total = at.off * static_cast<T>(at.cols);
  } else if (at.t != nullptr || at.off != T(0)) {
    for (int64_t c = team.lane(); c < at.cols; c += team.threads())
      slope.total += at.wanted(c, at.t != nullptr ? at.t[row * at.cols + c] : S{});
    slope.total = team.template over<Sum>(slope.total);
  }
  slope.total += slope.hot;
  return slope;
}

/// dx = scale * (sum(q) * softmax(x) - q), dt = scale * keep * weight * (lse - x); without lse dx = -scale *
/// q.
template <class S>
__global__ void __launch_bounds__(kTeamThreads)
    cross_entropy_backward_rows(RowTeam team, Rows<S> at, const Computed<S>* lse, const S* dloss, bool each,
                                const Computed<S>* total, S* dx, S* dt) {
  using T = Computed<S>;
  for (int64_t row = team.first(); row < at.rows; row += team.step()) {
    T scale = load(dloss[each ? row : 0]);
    if (total != nullptr) scale = scale / *total;
    bool ignored = at.label != nullptr && at.label[row] == at.ignored;
    RowSlope<T> slope{};
    if (!ignored) slope = slope_of_row(team, at, row, scale, lse);
    int64_t begin = row * at.cols;
    for (int64_t c = int64_t{team.lane()} * kPack<S>; c < at.cols; c += int64_t{team.threads()} * kPack<S>) {
      S x[kPack<S>], t[kPack<S>], y[kPack<S>];
      int count = load_pack(at.x + begin, at.cols, c, x);
      if (at.t != nullptr) load_pack(at.t + begin, at.cols, c, t);
      if (dx != nullptr) {
        for (int j = 0; j < kPack<S>; ++j) {
          if (j >= count) break;
          T q = ignored ? T(0) : at.wanted(c + j, at.t != nullptr ? t[j] : S{});
          store(ignored ? T(0) : slope.of(c + j, load(x[j]), q), y[j]);
        }
        store_pack(dx + begin, at.cols, c, y);
      }
      if (dt != nullptr) {
        for (int j = 0; j < kPack<S>; ++j) {
          if (j < count) store(scale * at.keep * at.weight_of(c + j) * (slope.lse - load(x[j])), y[j]);
        }
        store_pack(dt + begin, at.cols, c, y);
      }
    }
  }
}

// ----------------------------------------------------------------------------------------------------
// sums of losses

constexpr int kThreads = 256;
constexpr int64_t kPiece = 16384;  // rows or elements that one block adds up

/// Sums of each piece of the values of rows, if there are any, and of what they count.
__global__ void __launch_bounds__(kThreads) sum_pieces(const void* values, const void* counts, DType dtype,
                                                       int64_t rows, double* sums, double* count) {
  int64_t begin = int64_t{blockIdx.x} * kPiece, end = min(begin + kPiece, rows);
  double sum = 0, number = 0;
  for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
    if (values != nullptr) sum += load_as<double>(values, dtype, i);
    number += load_as<double>(counts, dtype, i);
  }
  sum = over_block<Sum>(sum);
  number = over_block<Sum>(number);
  if (threadIdx.x == 0) sums[blockIdx.x] = sum, count[blockIdx.x] = number;
}

/// Where a loss goes, and what its sum is divided by: `divisor`, or the counts' sum if it is 0.
struct Result {
  double divisor;
  void* loss;  ///< or null
  DType dtype;
  void* total;  ///< or null: the counts' sum
  DType total_dtype;
};

__global__ void __launch_bounds__(kThreads)
    sum_to_loss(const double* sums, const double* counts, int64_t pieces, Result to) {
  double sum = 0, count = 0;
  for (int64_t i = threadIdx.x; i < pieces; i += kThreads) {
    sum += sums[i];
    if (counts != nullptr) count += counts[i];
  }
  sum = over_block<Sum>(sum);
  count = over_block<Sum>(count);
  if (threadIdx.x > 0) return;
  if (to.loss != nullptr) store_as(sum / (to.divisor != 0 ? to.divisor : count), to.loss, to.dtype, 0);
  if (to.total != nullptr) store_as(count, to.total, to.total_dtype, 0);
}

// ----------------------------------------------------------------------------------------------------
// pairs

template <class T>
struct Pairs {
  const void *x, *t, *weight, *positive;  ///< the weights may be null
  DType dtype;
  int64_t n;
  T parameter;
  DEV T weight_of(int64_t i) const { return weight == nullptr ? T(1) : load_as<T>(weight, dtype, i); }
  DEV T positive_of(int64_t i) const { return positive == nullptr ? T(1) : load_as<T>(positive, dtype, i); }
};

/// f(F{}) with the struct of the loss's name.
template <class F>
DEV void with_kind(PairLoss kind, F f) {
  switch (kind) {
#define ISKRA_CASE(name, doc) \
  case PairLoss::name:        \
    f(pair_losses::name{});   \
    return;
    ISKRA_PAIR_LOSSES(ISKRA_CASE)
#undef ISKRA_CASE
  }
}

/// The losses, or, if `sums` is given, the sum of each piece.
template <class T>
__global__ void __launch_bounds__(kThreads)
    pair_losses_of(PairLoss kind, Pairs<T> at, void* y, double* sums) {
  int64_t pieces = (at.n + kPiece - 1) / kPiece;
  for (int64_t piece = blockIdx.x; piece < pieces; piece += gridDim.x) {
    int64_t begin = piece * kPiece, end = min(begin + kPiece, at.n);
    double sum = 0;
    with_kind(kind, [&](auto loss) {
      for (int64_t i = begin + threadIdx.x; i < end; i += kThreads) {
        T value = loss.f(load_as<T>(at.x, at.dtype, i), load_as<T>(at.t, at.dtype, i), at.positive_of(i),
                         at.parameter) *
                  at.weight_of(i);
        if (sums == nullptr)
          store_as(value, y, at.dtype, i);
        else
          sum += static_cast<double>(value);
      }
    });
    if (sums == nullptr) continue;
    sum = over_block<Sum>(sum);
    if (threadIdx.x == 0) sums[piece] = sum;
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pair_slopes(PairLoss kind, Pairs<T> at, const void* dy, bool each, T scale, void* dx, void* dt) {
  int64_t threads = int64_t{gridDim.x} * kThreads;
  with_kind(kind, [&](auto loss) {
    for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < at.n; i += threads) {
      T x = load_as<T>(at.x, at.dtype, i), t = load_as<T>(at.t, at.dtype, i), p = at.positive_of(i);
      T g = scale * load_as<T>(dy, at.dtype, each ? i : 0) * at.weight_of(i);
      if (dx != nullptr) store_as(g * loss.dx(x, t, p, at.parameter), dx, at.dtype, i);
      if (dt != nullptr) store_as(g * loss.dt(x, t, p, at.parameter), dt, at.dtype, i);
    }
  });
}

// ----------------------------------------------------------------------------------------------------
// cosine similarity

template <class T>
struct Vectors {
  const void *a, *b;
  DType dtype;
  int64_t rows, cols;
  T eps;
  DEV T at_a(int64_t i) const { return load_as<T>(a, dtype, i); }
  DEV T at_b(int64_t i) const { return load_as<T>(b, dtype, i); }
  DEV Cosine<T> cosine(const RowTeam& team, int64_t row) const {
    T ab = 0, aa = 0, bb = 0;
    for (int64_t i = row * cols + team.lane(); i < (row + 1) * cols; i += team.threads()) {
      T x = at_a(i), y = at_b(i);
      ab += x * y;
      aa += x * x;
      bb += y * y;
    }
    ab = team.template over<Sum>(ab);
    aa = team.template over<Sum>(aa);
    return {ab, aa, team.template over<Sum>(bb), eps};
  }
};

template <class T>
__global__ void __launch_bounds__(kTeamThreads) cosine_rows(RowTeam team, Vectors<T> at, void* y) {
  for (int64_t row = team.first(); row < at.rows; row += team.step()) {
    Cosine<T> of = at.cosine(team, row);
    if (team.lane() == 0) store_as(of.value(), y, at.dtype, row);
  }
}

template <class T>
__global__ void __launch_bounds__(kTeamThreads)
    cosine_backward_rows(RowTeam team, Vectors<T> at, const void* dy, void* da, void* db) {
  for (int64_t row = team.first(); row < at.rows; row += team.step()) {
    CosineSlopes<T> of(at.cosine(team, row), load_as<T>(dy, at.dtype, row));
    for (int64_t i = row * at.cols + team.lane(); i < (row + 1) * at.cols; i += team.threads()) {
      if (da != nullptr) store_as(of.da(at.at_a(i), at.at_b(i)), da, at.dtype, i);
      if (db != nullptr) store_as(of.db(at.at_a(i), at.at_b(i)), db, at.dtype, i);
    }
  }
}

// --- on the host
// --------------------------------------------------------------------------------------------------

template <class S>
Rows<S> rows_of(const CrossEntropy& at, const View& logits, const View& target, const View& weight) {
  bool labels = target.dtype == DType::i64;
  int64_t cols = logits.size(1);
  return {logits.as<S>(),
          labels ? nullptr : target.as<S>(),
          labels ? target.as<int64_t>() : nullptr,
          weight.data,
          weight.dtype,
          logits.size(0),
          cols,
          at.ignore_index,
          static_cast<Computed<S>>(1 - at.smoothing),
          static_cast<Computed<S>>(at.smoothing / static_cast<double>(cols))};
}

template <class S>
void forward(const Cuda& on, const CrossEntropy& at, const View& logits, const View& target,
             const View& weight, const MutView& loss, const MutView& lse, const MutView& total) {
  using T = Computed<S>;
  constexpr const char* kName = "cross_entropy";
  Rows<S> rows = rows_of<S>(at, logits, target, weight);
  bool each = at.reduction == Reduction::none;
  int64_t pieces = (rows.rows + kPiece - 1) / kPiece;
  T* values = each ? nullptr : scratch_of(on, kName).of<T>(rows.rows);
  T* counts = scratch_of(on, kName).of<T>(rows.rows);
  double *sums = scratch_of(on, kName).of<double>(2 * pieces), *numbers = sums + pieces;
  if (rows.rows > 0) {
    RowTeam team = team_of(rows.cols);
    gpu::launch<cross_entropy_rows<S>>(team.shape(rows.rows), on, team, rows, each ? loss.as<S>() : nullptr,
                                       values, counts, lse.as<T>());
    gpu::launch<sum_pieces>({static_cast<unsigned>(pieces), kThreads}, on, values, counts, dtype_of<T>,
                            rows.rows, sums, numbers);
  }
  Result to{at.reduction == Reduction::sum ? 1.0 : 0.0, each ? nullptr : loss.data, loss.dtype, total.data,
            total.dtype};
  gpu::launch<sum_to_loss>({1, kThreads}, on, sums, numbers, pieces, to);
}

template <class S>
void backward(const Cuda& on, const CrossEntropy& at, const View& logits, const View& target,
              const View& weight, const View& lse, const View& total, const View& dloss,
              const MutView& dlogits, const MutView& dtarget) {
  using T = Computed<S>;
  RowTeam team = team_of(logits.size(1));
  gpu::launch<cross_entropy_backward_rows<S>>(
      team.shape(logits.size(0)), on, team, rows_of<S>(at, logits, target, weight), lse.as<T>(),
      dloss.as<S>(), at.reduction == Reduction::none,
      at.reduction == Reduction::mean ? total.as<T>() : nullptr, dlogits.as<S>(), dtarget.as<S>());
}

template <class T>
Pairs<T> pairs_of(const PairLossInputs& in, double parameter) {
  return {in.x.data,  in.target.data, in.weight.data,           in.pos_weight.data,
          in.x.dtype, in.x.numel(),   static_cast<T>(parameter)};
}

template <class T>
void forward_of_pairs(const Cuda& on, PairLoss kind, double parameter, Reduction reduction,
                      const PairLossInputs& in, const MutView& loss) {
  Pairs<T> pairs = pairs_of<T>(in, parameter);
  int64_t pieces = (pairs.n + kPiece - 1) / kPiece;
  bool each = reduction == Reduction::none;
  double* sums = each ? nullptr : scratch_of(on, "pair_loss").of<double>(pieces);
  if (pieces > 0)
    gpu::launch<pair_losses_of<T>>({blocks_for(pieces, 1), kThreads}, on, kind, pairs, loss.data, sums);
  if (each) return;
  double n = static_cast<double>(pairs.n);
  Result to{reduction == Reduction::mean ? n : 1.0, loss.data, loss.dtype, nullptr, DType::f32};
  gpu::launch<sum_to_loss>({1, kThreads}, on, sums, nullptr, pieces, to);
}

/// f(T{}) with the type that elements of this floating type are computed in; throws, naming `op`, for others.
template <class F>
void with_computed(DType dtype, const char* op, F f) {
  ISKRA_CHECK(is_floating(dtype), op, ": elements are ", name_of(dtype),
              "; it takes floating types, convert first");
  if (dtype == DType::f64) return f(double{});
  f(float{});
}

template <class T>
Vectors<T> vectors_of(const View& a, const View& b, double eps) {
  return {a.data, b.data, a.dtype, a.size(0), a.size(1), static_cast<T>(eps)};
}

}  // namespace

void cross_entropy(Cuda on, const CrossEntropy& at, View logits, View target, View weight, MutView loss,
                   MutView lse, MutView total) {
  with_floating(logits.dtype, "cross_entropy",
                [&]<class S>(S) { forward<S>(on, at, logits, target, weight, loss, lse, total); });
}

void cross_entropy_backward(Cuda on, const CrossEntropy& at, View logits, View target, View weight, View lse,
                            View total, View dloss, MutView dlogits, MutView dtarget) {
  if (logits.numel() == 0) return;
  with_floating(logits.dtype, "cross_entropy_backward", [&]<class S>(S) {
    backward<S>(on, at, logits, target, weight, lse, total, dloss, dlogits, dtarget);
  });
}

void pair_loss(Cuda on, PairLoss kind, double parameter, Reduction reduction, const PairLossInputs& in,
               MutView loss) {
  with_computed(in.x.dtype, "pair_loss",
                [&]<class T>(T) { forward_of_pairs<T>(on, kind, parameter, reduction, in, loss); });
}

void pair_loss_backward(Cuda on, PairLoss kind, double parameter, Reduction reduction,
                        const PairLossInputs& in, View dloss, MutView dx, MutView dtarget) {
  int64_t n = in.x.numel();
  if (n == 0) return;
  double scale = reduction == Reduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
  with_computed(in.x.dtype, "pair_loss_backward", [&]<class T>(T) {
    gpu::launch<pair_slopes<T>>({blocks_for(n, kThreads), kThreads}, on, kind, pairs_of<T>(in, parameter),
                                dloss.data, reduction == Reduction::none, static_cast<T>(scale), dx.data,
                                dtarget.data);
  });
}

void cosine_similarity(Cuda on, View a, View b, double eps, MutView y) {
  if (a.size(0) == 0) return;
  RowTeam team = team_of(a.size(1));
  with_computed(a.dtype, "cosine_similarity", [&]<class T>(T) {
    gpu::launch<cosine_rows<T>>(team.shape(a.size(0)), on, team, vectors_of<T>(a, b, eps), y.data);
  });
}

void cosine_similarity_backward(Cuda on, View a, View b, double eps, View dy, MutView da, MutView db) {
  if (a.numel() == 0) return;
  RowTeam team = team_of(a.size(1));
  with_computed(a.dtype, "cosine_similarity_backward", [&]<class T>(T) {
    gpu::launch<cosine_backward_rows<T>>(team.shape(a.size(0)), on, team, vectors_of<T>(a, b, eps), dy.data,
                                         da.data, db.data);
  });
}

}  // namespace iskra::kernels
