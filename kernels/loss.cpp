// Losses: cross-entropy of rows with labels or with distributions, losses of pairs, and cosine similarity.
// Sums over rows and elements are of fixed pieces, joined in double in their order.
#include <cmath>

#include <iskra/kernels/index_check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/loss.isa.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/softmax.isa.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels {
namespace {

const LossTable& table() {
  static const LossTable& chosen = by_isa(v2::loss_table, v3::loss_table, v4::loss_table);
  return chosen;
}

/// One element of any floating type.
double get(const View& x, int64_t i) {
  switch (x.dtype) {
    case DType::f64:
      return x.as<double>()[i];
    case DType::bf16:
      return static_cast<double>(load(x.as<bf16>()[i]));
    case DType::f16:
      return static_cast<double>(load(x.as<f16>()[i]));
    default:
      return static_cast<double>(x.as<float>()[i]);
  }
}
void put(double value, const MutView& x, int64_t i) {
  switch (x.dtype) {
    case DType::f64:
      x.as<double>()[i] = value;
      return;
    case DType::bf16:
      x.as<bf16>()[i] = to_bf16(value);
      return;
    case DType::f16:
      x.as<f16>()[i] = to_f16(value);
      return;
    default:
      x.as<float>()[i] = static_cast<float>(value);
  }
}

bool has_labels(const View& target) { return target.dtype == DType::i64; }

/// The rows of a cross-entropy that both directions walk.
class CrossEntropyKernel {
 public:
  CrossEntropyKernel(const Cpu& on, const CrossEntropy& at, const View& logits, const View& target,
                     const View& weight, const char* op)
      : on_(on),
        op_(op),
        logits_(logits),
        target_(target),
        type_(floating_type_index(logits.dtype, op)),
        rows_(logits.size(0)),
        cols_(logits.size(1)) {
    base_.weight = computed_parameter(on, weight, logits.dtype, op);
    base_.cols = cols_;
    base_.ignored = at.ignore_index;
    base_.keep = 1 - at.smoothing;
    base_.off = at.smoothing / static_cast<double>(cols_);
  }

  int64_t rows() const { return rows_; }
  int64_t label(int64_t row) const { return target_.as<int64_t>()[row]; }
  bool counts(int64_t row) const { return !has_labels(target_) || label(row) != base_.ignored; }
  bool smooths() const { return base_.off != 0; }
  double keep() const { return base_.keep; }
  double logit(int64_t row) const { return get(logits_, row * cols_ + label(row)); }
  template <class T>
  double weight_of_label(int64_t row) const {
    return base_.weight == nullptr ? 1.0
                                   : static_cast<double>(static_cast<const T*>(base_.weight)[label(row)]);
  }

  /// Calls loop(rows) over all rows; `set` adds to the rows from `first` on.
  template <class Set>
  void run(void (*const (&loop)[4])(const CrossEntropyRows&), Set set) const {
    const size_t bytes = 3 * size_of(computing_dtype(logits_.dtype)) * static_cast<size_t>(padded_row(cols_));
    for_rows(on_, rows_, cols_, bytes, op_, [&](int64_t first, int64_t count, char* memory) {
      CrossEntropyRows part = base_;
      part.x = at(logits_, first * cols_);
      if (has_labels(target_))
        part.labels = target_.as<int64_t>() + first;
      else
        part.t = at(target_, first * cols_);
      part.buffer = memory;
      part.rows = count;
      set(part, first);
      loop[type_](part);
    });
  }

 private:
  const Cpu& on_;
  const char* op_;
  const View &logits_, &target_;
  int type_;
  int64_t rows_, cols_;
  CrossEntropyRows base_;
};

}  // namespace

void check_labels(const CrossEntropy& at, const View& labels, int64_t classes, const char* op) {
  const int64_t* label = labels.as<int64_t>();
  for (int64_t r = 0; r < labels.numel(); ++r)
    ISKRA_CHECK((label[r] >= 0 && label[r] < classes) || label[r] == at.ignore_index, op, ": label ",
                label[r], " of row ", r, " is outside 0 to ", classes - 1, "; the logits have ", classes,
                " classes");
}

namespace {

template <class T>
void forward(const Cpu& on, const CrossEntropy& at, const View& logits, const View& target,
             const View& weight, const MutView& loss, const MutView& lse, const MutView& total) {
  const char* op = lse.defined() ? "cross_entropy" : "nll_loss";
  const CrossEntropyKernel rows(on, at, logits, target, weight, op);
  if (has_labels(target)) check_labels(at, target, logits.size(1), op);
  auto part_of = [](T* x, int64_t first) { return x == nullptr ? nullptr : x + first; };
  T* lses = lse.as<T>();
  if (lse.defined())
    rows.run(table().lse, [&](CrossEntropyRows& part, int64_t first) { part.value = lses + first; });
  const bool summed = !has_labels(target) || rows.smooths();
  T* sums = scratch_of<T>(on, rows.rows(), op);
  if (summed)
    rows.run(table().cross, [&](CrossEntropyRows& part, int64_t first) {
      part.lse = part_of(lses, first);
      part.value = sums + first;
    });
  double sum = 0, weights = 0;
  for (int64_t r = 0; r < rows.rows(); ++r) {
    double value = summed ? static_cast<double>(sums[r]) : 0.0;
    if (!rows.counts(r)) {
      value = 0;
    } else if (has_labels(target)) {
      const double w = rows.template weight_of_label<T>(r);
      value += rows.keep() * w * ((lses != nullptr ? static_cast<double>(lses[r]) : 0.0) - rows.logit(r));
      weights += w;
    } else {
      weights += 1;
    }
    sum += value;
    if (at.reduction == Reduction::none) put(value, loss, r);
  }
  *total.as<T>() = static_cast<T>(weights);
  if (at.reduction != Reduction::none) put(at.reduction == Reduction::mean ? sum / weights : sum, loss, 0);
}

template <class T>
void backward(const Cpu& on, const CrossEntropy& at, const View& logits, const View& target,
              const View& weight, const View& lse, const View& total, const View& dloss,
              const MutView& dlogits, const MutView& dtarget) {
  const CrossEntropyKernel rows(on, at, logits, target, weight, "cross_entropy_backward");
  const int64_t cols = logits.size(1);
  T* scale = scratch_of<T>(on, rows.rows(), "cross_entropy_backward");
  const double divisor = at.reduction == Reduction::mean ? static_cast<double>(*total.as<T>()) : 1.0;
  for (int64_t r = 0; r < rows.rows(); ++r)
    scale[r] = static_cast<T>(get(dloss, at.reduction == Reduction::none ? r : 0) / divisor);
  rows.run(table().gradient, [&](CrossEntropyRows& part, int64_t first) {
    part.lse = lse.defined() ? lse.as<T>() + first : nullptr;
    part.scale = scale + first;
    part.dx = dlogits.defined() ? kernels::at(dlogits, first * cols) : nullptr;
    part.dt = dtarget.defined() ? kernels::at(dtarget, first * cols) : nullptr;
  });
}

constexpr int64_t kGrain = 16384;  // elements of a piece of a loss of pairs

PairLossRun pair_run(const PairLossInputs& in, double parameter, int64_t begin, int64_t end) {
  PairLossRun run;
  run.x = at(in.x, begin);
  run.t = at(in.target, begin);
  run.p = in.pos_weight.defined() ? at(in.pos_weight, begin) : nullptr;
  run.w = in.weight.defined() ? at(in.weight, begin) : nullptr;
  run.parameter = parameter;
  run.n = end - begin;
  return run;
}

}  // namespace

void cross_entropy(Cpu on, const CrossEntropy& at, View logits, View target, View weight, MutView loss,
                   MutView lse, MutView total) {
  auto body = logits.dtype == DType::f64 ? forward<double> : forward<float>;
  body(on, at, logits, target, weight, loss, lse, total);
}

void cross_entropy_backward(Cpu on, const CrossEntropy& at, View logits, View target, View weight, View lse,
                            View total, View dloss, MutView dlogits, MutView dtarget) {
  auto body = logits.dtype == DType::f64 ? backward<double> : backward<float>;
  body(on, at, logits, target, weight, lse, total, dloss, dlogits, dtarget);
}

void pair_loss(Cpu on, PairLoss kind, double parameter, Reduction reduction, const PairLossInputs& in,
               MutView loss) {
  auto body = table().pairs[floating_type_index(in.x.dtype, "pair_loss")];
  const int64_t n = in.x.numel(), pieces = (n + kGrain - 1) / kGrain;
  const bool each = reduction == Reduction::none;
  double* sums = each ? nullptr : scratch_of<double>(on, pieces, "pair_loss");
  parallel_for(on, n, kGrain, [&](int64_t begin, int64_t end) {
    PairLossRun run = pair_run(in, parameter, begin, end);
    run.y = each ? at(loss, begin) : nullptr;
    const double sum = body(static_cast<int>(kind), run);
    if (!each) sums[begin / kGrain] = sum;
  });
  if (each) return;
  double sum = 0;
  for (int64_t piece = 0; piece < pieces; ++piece) sum += sums[piece];
  put(reduction == Reduction::mean ? sum / static_cast<double>(n) : sum, loss, 0);
}

void pair_loss_backward(Cpu on, PairLoss kind, double parameter, Reduction reduction,
                        const PairLossInputs& in, View dloss, MutView dx, MutView dtarget) {
  auto body = table().pairs_backward[floating_type_index(in.x.dtype, "pair_loss_backward")];
  const int64_t n = in.x.numel();
  parallel_for(on, n, kGrain, [&](int64_t begin, int64_t end) {
    PairLossRun run = pair_run(in, parameter, begin, end);
    run.dy_each = reduction == Reduction::none;
    run.dy = run.dy_each ? at(dloss, begin) : dloss.data;
    run.scale = reduction == Reduction::mean ? 1.0 / static_cast<double>(n) : 1.0;
    run.dx = dx.defined() ? at(dx, begin) : nullptr;
    run.dt = dtarget.defined() ? at(dtarget, begin) : nullptr;
    body(static_cast<int>(kind), run);
  });
}

namespace {

void for_cosine_rows(const Cpu& on, const View& a, const View& b, double eps, const char* op,
                     void (*body)(const CosineRows&), const View& dy, const MutView& y, const MutView& da,
                     const MutView& db) {
  const int64_t cols = a.size(1);
  const size_t bytes = 2 * size_of(computing_dtype(a.dtype)) * static_cast<size_t>(cols);
  for_rows(on, a.size(0), cols, bytes, op, [&](int64_t row, int64_t rows, char* memory) {
    CosineRows run;
    run.a = at(a, row * cols);
    run.b = at(b, row * cols);
    run.y = y.defined() ? at(y, row) : nullptr;
    run.dy = dy.defined() ? at(dy, row) : nullptr;
    run.da = da.defined() ? at(da, row * cols) : nullptr;
    run.db = db.defined() ? at(db, row * cols) : nullptr;
    run.buffer = memory;
    run.rows = rows;
    run.cols = cols;
    run.eps = eps;
    body(run);
  });
}

}  // namespace

void cosine_similarity(Cpu on, View a, View b, double eps, MutView y) {
  constexpr const char* kName = "cosine_similarity";
  for_cosine_rows(on, a, b, eps, kName, table().cosine[floating_type_index(a.dtype, kName)], {}, y, {}, {});
}

void cosine_similarity_backward(Cpu on, View a, View b, double eps, View dy, MutView da, MutView db) {
  constexpr const char* kName = "cosine_similarity_backward";
  for_cosine_rows(on, a, b, eps, kName, table().cosine_backward[floating_type_index(a.dtype, kName)], dy, {},
                  da, db);
}

}  // namespace iskra::kernels
