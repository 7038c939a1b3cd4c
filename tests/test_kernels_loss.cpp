// Losses in every type: cross-entropy of labels and distributions with weights, smoothing and all reductions,
// losses of pairs, cosine similarity; against plain loops in double over the rounded inputs. On both devices.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include "kernel_arrays.h"
#include "test_device.h"

namespace iskra::kernels::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();
constexpr Reduction kReductions[] = {Reduction::none, Reduction::mean, Reduction::sum};

class Loss : public ::testing::TestWithParam<DType> {
 protected:
  DType dtype = GetParam();
  DType wide = dtype == DType::f64 ? DType::f64 : DType::f32;
  double eps = dtype == DType::f64 ? 1e-15 : 2.4e-7;  // what each of the steps on the way loses
  HeapScratch scratch;
  auto on(int threads = 1) { return testing::on(threads, &scratch); }
  static View labels_of(const std::vector<int64_t>& labels) {
    return {labels.data(), DType::i64, {static_cast<int64_t>(labels.size())}, {1}};
  }
};

/// A problem of cross-entropy, and its solution in double.
struct Classes {
  CrossEntropy at;
  Array x, t;                   // t of labels is not read
  std::vector<int64_t> labels;  // or none
  Array weight;                 // or of rank 0: none
  bool normalized = false;      // x are logarithms already

  int64_t rows() const { return x.shape()[0]; }
  int64_t cols() const { return x.shape()[1]; }
  bool soft() const { return labels.empty(); }
  double weight_of(int64_t c) const { return weight.shape().rank() == 0 ? 1 : weight.get(c); }
  bool ignored(int64_t r) const { return !soft() && labels[static_cast<size_t>(r)] == at.ignore_index; }
  double q(int64_t r, int64_t c) const {
    const double p = soft() ? t.get(r * cols() + c) : c == labels[static_cast<size_t>(r)] ? 1 : 0;
    return weight_of(c) * ((1 - at.smoothing) * p + at.smoothing / static_cast<double>(cols()));
  }
  double lse(int64_t r) const {
    double largest = -kInf, sum = 0;
    for (int64_t c = 0; c < cols(); ++c) largest = std::max(largest, x.get(r * cols() + c));
    for (int64_t c = 0; c < cols(); ++c) sum += std::exp(x.get(r * cols() + c) - largest);
    return largest + std::log(sum);
  }
  double loss(int64_t r) const {
    const double log_sum = normalized ? 0 : lse(r);
    double sum = 0;
    for (int64_t c = 0; c < cols() && !ignored(r); ++c)
      if (q(r, c) != 0) sum += q(r, c) * (log_sum - x.get(r * cols() + c));
    return sum;
  }
  double count(int64_t r) const {
    return soft() ? 1 : ignored(r) ? 0 : weight_of(labels[static_cast<size_t>(r)]);
  }
  double total() const {
    double sum = 0;
    for (int64_t r = 0; r < rows(); ++r) sum += count(r);
    return sum;
  }
  View target() const { return soft() ? t.view() : View{labels.data(), DType::i64, {rows()}, {1}}; }
  View weights() const { return weight.shape().rank() == 0 ? View{} : weight.view(); }
};

/// What the kernels make of it.
struct Solved {
  Array loss, lse, total, dx, dt;
  template <class Device>
  Solved(const Device& on, const Classes& of, DType wide, const Array& dloss)
      : loss(of.x.dtype(), of.at.reduction == Reduction::none ? Shape{of.rows()} : Shape{}),
        lse(wide, {of.rows()}),
        total(wide, {}),
        dx(of.x.dtype(), of.x.shape()),
        dt(of.x.dtype(), of.x.shape()) {
    const MutView sums = of.normalized ? MutView{} : lse.view();
    cross_entropy(on, of.at, of.x.view(), of.target(), of.weights(), loss.view(), sums, total.view());
    cross_entropy_backward(on, of.at, of.x.view(), of.target(), of.weights(), sums, total.view(),
                           dloss.view(), dx.view(), of.soft() ? dt.view() : MutView{});
  }
};

void check_classes(const Classes& of, const Solved& got, const Array& dloss, double eps) {
  const int64_t rows = of.rows(), cols = of.cols();
  const bool each = of.at.reduction == Reduction::none;
  const double divisor = of.at.reduction == Reduction::mean ? of.total() : 1;
  std::vector<double> loss, dx, dt, lse;
  double sum = 0, largest = 1;
  for (int64_t r = 0; r < rows; ++r) {
    loss.push_back(of.loss(r));
    sum += loss.back();
    largest = std::max(largest, std::abs(loss.back()));
    lse.push_back(of.lse(r));
    const double g = dloss.get(each ? r : 0) / divisor, log_sum = of.normalized ? 0 : lse.back();
    double total = 0;
    for (int64_t c = 0; c < cols; ++c) total += of.q(r, c);
    for (int64_t c = 0; c < cols; ++c) {
      const double x = of.x.get(r * cols + c), q = of.q(r, c);
      const double slope = of.normalized ? -q : total * std::exp(x - log_sum) - q;
      dx.push_back(of.ignored(r) ? 0 : g * slope);
      dt.push_back(g * (1 - of.at.smoothing) * of.weight_of(c) * (log_sum - x));
    }
  }
  const double steps = eps * (8 + 0.02 * static_cast<double>(cols)),
               slope = 1 + std::abs(dloss.get(0) / divisor);
  if (!each) loss = {sum / divisor};
  expect_close(got.loss, loss, 4 * steps * largest * static_cast<double>(each ? 1 : rows), "loss");
  expect_close(got.total, {of.total()}, eps * of.total(), "total");
  if (!of.normalized) expect_close(got.lse, lse, 40 * eps, "lse");
  expect_close(got.dx, dx, 40 * steps * slope, "dlogits");
  if (of.soft()) expect_close(got.dt, dt, 80 * eps * slope, "dtarget");
}

TEST_P(Loss, CrossEntropyOfLabelsAndDistributions) {
  for (const Shape& shape :
       {Shape{1, 1}, Shape{9, 5}, Shape{3, 33}, Shape{2, 512}, Shape{3, 513}, Shape{2, 4100}})
    for (bool soft : {false, true})
      for (bool weighted : {false, true})
        for (double smoothing : {0.0, 0.125})
          for (bool normalized : {false, true}) {
            if (shape[1] > 1000 && weighted != soft) continue;
            const Reduction reduction = kReductions[(shape[1] + (soft ? 1 : 0) + (weighted ? 1 : 0)) % 3];
            SCOPED_TRACE(text(shape, soft ? " soft" : "", weighted ? " weighted" : "", " ", smoothing,
                              normalized ? " normalized" : "", " ", static_cast<int>(reduction)));
            Classes of{{smoothing, 2, reduction}, Array::random(dtype, shape, 1), {}, {}, {}, normalized};
            for (int64_t i = 0; i < of.x.numel(); ++i) of.x.set(i, 6 * of.x.get(i) - (normalized ? 7 : 0));
            if (weighted) {  // of another type than the logits
              of.weight = Array::random(dtype == DType::f32 ? DType::bf16 : DType::f32, {shape[1]}, 2);
              for (int64_t c = 0; c < shape[1]; ++c) of.weight.set(c, std::abs(of.weight.get(c)) + 0.25);
            }
            if (soft) {
              of.t = Array::random(dtype, shape, 3);
              for (int64_t i = 0; i < of.t.numel(); ++i)
                of.t.set(i, std::abs(of.t.get(i)) / static_cast<double>(shape[1]));
            } else {
              for (int64_t r = 0; r < shape[0]; ++r) of.labels.push_back((shape[1] - 1 + 3 * r) % shape[1]);
              if (shape[0] > 4) of.labels[3] = 2;  // ignored
            }
            Array dloss = Array::random(dtype, reduction == Reduction::none ? Shape{shape[0]} : Shape{}, 4);
            const Solved once(on(1), of, wide, dloss), again(on(3), of, wide, dloss);
            check_classes(of, once, dloss, eps);
            expect_same_bits(again.loss, once.loss, "loss");
            expect_same_bits(again.dx, once.dx, "dx");
          }
}

// More rows than one piece of the sum has, and than 1024 blocks of 8 warps take at once.
TEST_P(Loss, CrossEntropyOfManyRows) {
  const int64_t rows = 16384 + 77;
  Classes of{{0.0, 1, Reduction::mean}, Array::random(dtype, {rows, 2}, 5), {}, {}, {}, true};
  for (int64_t r = 0; r < rows; ++r) of.labels.push_back(r % 7 == 0 ? 1 : 0);
  Array loss(dtype, {}), total(wide, {});
  cross_entropy(on(2), of.at, of.x.view(), of.target(), {}, loss.view(), {}, total.view());
  double sum = 0;
  for (int64_t r = 0; r < rows; ++r) sum += of.loss(r);
  EXPECT_EQ(total.get(0), of.total());
  expect_close(loss, {sum / of.total()}, 1e-6, "loss");
}

// A launch on CUDA has 1024 blocks at most, which then take several rows each.
TEST(LossRows, CrossEntropyOfMoreRowsThanBlocks) {
  const int64_t rows = 1024 + 31, cols = 513;
  Classes of{{0, -1, Reduction::none}, Array::random(DType::f32, {rows, cols}, 5), {}, {}, {}, false};
  for (int64_t r = 0; r < rows; ++r) of.labels.push_back(r % cols);
  Array dloss(DType::f32, {rows});
  for (int64_t r = 0; r < rows; ++r) dloss.set(r, 1);
  HeapScratch scratch;
  const Solved got(on(2, &scratch), of, DType::f32, dloss);
  check_classes(of, got, dloss, 2.4e-7);
}

TEST_P(Loss, CrossEntropyOfInfinities) {
  const int64_t cols = 600;
  Array x(dtype, {5, cols}), loss(dtype, {5}), lse(wide, {5}), total(wide, {});
  for (int64_t i = 0; i < x.numel(); ++i) x.set(i, -kInf);
  x.set(0 * cols + 3, 2);                                          // one class alone
  for (int64_t c = 0; c < cols; c += 2) x.set(1 * cols + c, -50);  // half of them
  x.set(2 * cols + 4, 5);                                          // the label is impossible
  x.set(3 * cols + 5, kInf);                                       // nothing to normalise; row 4: nor here
  const std::vector<int64_t> labels = {3, 598, 5, 5, 0};
  cross_entropy(on(), {.reduction = Reduction::none}, x.view(), labels_of(labels), {}, loss.view(),
                lse.view(), total.view());
  EXPECT_EQ(loss.get(0), 0);
  EXPECT_NEAR(loss.get(1), std::log(300.0), 0.04);
  EXPECT_NEAR(lse.get(1), std::log(300.0) - 50, 1e-5);
  EXPECT_EQ(loss.get(2), kInf);
  EXPECT_TRUE(std::isnan(loss.get(3)));
  EXPECT_TRUE(std::isnan(loss.get(4)));
  // A smoothed label wants a little of the impossible classes, too.
  cross_entropy(on(), {.smoothing = 0.1, .reduction = Reduction::none}, x.view(), labels_of(labels), {},
                loss.view(), lse.view(), total.view());
  EXPECT_EQ(loss.get(0), kInf);
  EXPECT_EQ(loss.get(1), kInf);
  x.set(7, kNan);
  cross_entropy(on(), {.reduction = Reduction::none}, x.view(), labels_of(labels), {}, loss.view(),
                lse.view(), total.view());
  EXPECT_TRUE(std::isnan(loss.get(0)));
}

// Far from zero, and rising along the row: what is largest changes all the time.
TEST_P(Loss, CrossEntropyOfRisingLogits) {
  if (dtype == DType::bf16 || dtype == DType::f16) return;  // too coarse
  Array x(dtype, {1, 900});
  for (int64_t c = 0; c < 900; ++c) x.set(c, 10000 + static_cast<double>(c) * 0.25);
  Classes of{{0.25, -1, Reduction::sum}, x, {}, {17}, {}, false};
  Array dloss(dtype, {});
  dloss.set(0, 1);
  const Solved got(on(), of, wide, dloss);
  EXPECT_NEAR(got.loss.get(0), of.loss(0), 10000 * 4 * eps);
  EXPECT_NEAR(got.dx.get(899), std::exp(x.get(899) - of.lse(0)) - of.q(0, 899), 10000 * eps);
  EXPECT_NEAR(got.dx.get(17), -of.q(0, 17), eps);
}

TEST_P(Loss, NoRowsAndRowsThatAllAreIgnored) {
  Array x(dtype, {0, 3}), loss(dtype, {}), lse(wide, {0}), total(wide, {});
  cross_entropy(on(), {.reduction = Reduction::sum}, x.view(), View{nullptr, DType::i64, {0}, {1}}, {},
                loss.view(), lse.view(), total.view());
  EXPECT_EQ(loss.get(0), 0);
  EXPECT_EQ(total.get(0), 0);
  const std::vector<int64_t> labels = {-100, -100};
  Array some = Array::random(dtype, {2, 3}, 6), lses(wide, {2});
  cross_entropy(on(), {}, some.view(), labels_of(labels), {}, loss.view(), lses.view(), total.view());
  EXPECT_TRUE(std::isnan(loss.get(0)));  // a mean of nothing
  EXPECT_EQ(total.get(0), 0);
}

#ifdef ISKRA_TEST_CUDA  // the CPU throws
TEST_P(Loss, RowsOfUnknownLabelsAreNan) {
  const std::vector<int64_t> labels = {1, 3, 0, -1, int64_t{1} << 40};
  Array x = Array::random(dtype, {5, 3}, 7), loss(dtype, {5}), lse(wide, {5}), total(wide, {}),
        dx(dtype, {5, 3});
  Array weight = Array::random(dtype, {3}, 8), dloss(dtype, {5});
  for (int64_t r = 0; r < 5; ++r) dloss.set(r, 1);
  const CrossEntropy at{.reduction = Reduction::none};
  cross_entropy(on(), at, x.view(), labels_of(labels), weight.view(), loss.view(), lse.view(), total.view());
  cross_entropy_backward(on(), at, x.view(), labels_of(labels), weight.view(), lse.view(), total.view(),
                         dloss.view(), dx.view(), {});
  for (int64_t r = 0; r < 5; ++r) {
    EXPECT_EQ(std::isnan(loss.get(r)), r != 0 && r != 2) << r;
    for (int64_t c = 0; c < 3; ++c)
      EXPECT_EQ(std::isnan(dx.get(r * 3 + c)), r != 0 && r != 2) << r << " " << c;
  }
}
#endif

/// A loss of pairs, and its derivative by x, in double.
struct PairWant {
  double f, dx, dt;
};
PairWant pair_want(PairLoss kind, double x, double t, double p, double b) {
  const double d = x - t, a = std::abs(d), sign = d > 0 ? 1 : d < 0 ? -1 : 0;
  const double soft = std::log1p(std::exp(-std::abs(x))) + std::max(-x, 0.0),
               sigmoid = 1 / (1 + std::exp(-x));
  switch (kind) {
    case PairLoss::mse:
      return {d * d, 2 * d, -2 * d};
    case PairLoss::l1:
      return {a, sign, -sign};
    case PairLoss::smooth_l1:
      return a < b ? PairWant{d * d / 2 / b, d / b, -d / b} : PairWant{a - b / 2, sign, -sign};
    case PairLoss::huber:
      return a <= b ? PairWant{d * d / 2, d, -d} : PairWant{b * (a - b / 2), b * sign, -b * sign};
    case PairLoss::bce_with_logits:
      return {(1 - t) * x + (1 + (p - 1) * t) * soft, (1 - t) - (1 + (p - 1) * t) * (1 - sigmoid),
              (p - 1) * soft - x};
    case PairLoss::kl_div:
      return {t == 0 ? 0 : t * (std::log(t) - x), -t, t == 0 ? 0 : std::log(t) + 1 - x};
    case PairLoss::kl_div_log:
      return {std::exp(t) * (t - x), -std::exp(t), std::exp(t) * (t - x + 1)};
  }
  return {};
}
constexpr PairLoss kPairLosses[] = {
    PairLoss::mse,    PairLoss::l1,        PairLoss::smooth_l1, PairLoss::huber, PairLoss::bce_with_logits,
    PairLoss::kl_div, PairLoss::kl_div_log};

TEST_P(Loss, PairsOfEveryKind) {
  const double b = 0.375;
  for (PairLoss kind : kPairLosses)
    for (int64_t n : {1, 1003})
      for (bool weighted : {false, true})
        for (Reduction reduction : kReductions) {
          SCOPED_TRACE(text(static_cast<int>(kind), " of ", n, weighted ? " weighted " : " ",
                            static_cast<int>(reduction)));
          Array x = Array::random(dtype, {n}, 9), t = Array::random(dtype, {n}, 10),
                w = Array::random(dtype, {n}, 11), p = Array::random(dtype, {n}, 12);
          for (int64_t i = 0; i < n; ++i) {
            p.set(i, p.get(i) + 2);
            if (kind == PairLoss::kl_div || kind == PairLoss::bce_with_logits) t.set(i, std::abs(t.get(i)));
            if (i % 50 == 49) t.set(i, x.get(i));  // a kink of some
            if (i % 50 == 48) t.set(i, 0);
            if (kind == PairLoss::kl_div) t.set(i, std::abs(t.get(i)));
          }
          const bool each = reduction == Reduction::none;
          Array dy = Array::random(dtype, each ? Shape{n} : Shape{}, 13),
                loss(dtype, each ? Shape{n} : Shape{}), dx(dtype, {n}), dt(dtype, {n}), only_dx(dtype, {n}),
                only_dt(dtype, {n});
          const PairLossInputs in{x.view(), t.view(), weighted ? w.view() : View{},
                                  weighted ? p.view() : View{}};
          pair_loss(on(2), kind, b, reduction, in, loss.view());
          pair_loss_backward(on(2), kind, b, reduction, in, dy.view(), dx.view(), dt.view());
          pair_loss_backward(on(), kind, b, reduction, in, dy.view(), only_dx.view(), {});
          pair_loss_backward(on(), kind, b, reduction, in, dy.view(), {}, only_dt.view());
          std::vector<double> want, want_dx, want_dt;
          double sum = 0;
          const double divisor = reduction == Reduction::mean ? static_cast<double>(n) : 1;
          for (int64_t i = 0; i < n; ++i) {
            const PairWant at = pair_want(kind, x.get(i), t.get(i), weighted ? p.get(i) : 1, b);
            const double weight = weighted ? w.get(i) : 1, g = dy.get(each ? i : 0) * weight / divisor;
            want.push_back(weight * at.f);
            sum += want.back();
            want_dx.push_back(g * at.dx);
            want_dt.push_back(g * at.dt);
          }
          if (!each) want = {sum / divisor};
          expect_close(loss, want, 30 * eps * (reduction == Reduction::sum ? static_cast<double>(n) : 1.0),
                       "loss");
          expect_close(dx, want_dx, 30 * eps, "dx");
          expect_close(dt, want_dt, 60 * eps, "dt");
          expect_same_bits(only_dx, dx, "dx alone");
          expect_same_bits(only_dt, dt, "dt alone");
        }
}

TEST_P(Loss, PairsOfSeveralPiecesAndOfNone) {
  const int64_t n = 2 * 16384 + 5;
  Array x = Array::random(dtype, {n}, 14), t = Array::random(dtype, {n}, 15), loss(dtype, {});
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::abs(x.get(i) - t.get(i));
  pair_loss(on(3), PairLoss::l1, 0, Reduction::mean, {x.view(), t.view(), {}, {}}, loss.view());
  expect_close(loss, {sum / static_cast<double>(n)}, 10 * eps, "mean");
  Array none(dtype, {0});
  const PairLossInputs nothing{none.view(), none.view(), {}, {}};
  pair_loss(on(), PairLoss::l1, 0, Reduction::sum, nothing, loss.view());
  EXPECT_EQ(loss.get(0), 0);
  pair_loss(on(), PairLoss::l1, 0, Reduction::mean, nothing, loss.view());
  EXPECT_TRUE(std::isnan(loss.get(0)));
  pair_loss(on(), PairLoss::l1, 0, Reduction::none, nothing, none.view());
  pair_loss_backward(on(), PairLoss::l1, 0, Reduction::mean, nothing, loss.view(), none.view(), none.view());
}

TEST_P(Loss, CosineSimilarityAndItsGradients) {
  for (const Shape& shape : {Shape{1, 1}, Shape{11, 7}, Shape{3, 512}, Shape{5, 1027}})
    for (double bound : {1e-8, 9.0}) {
      SCOPED_TRACE(text(shape, " eps ", bound));
      const int64_t rows = shape[0], cols = shape[1];
      Array a = Array::random(dtype, shape, 16), b = Array::random(dtype, shape, 17);
      if (rows > 2)
        for (int64_t c = 0; c < cols; ++c) a.set(2 * cols + c, 0);
      const Array dy = Array::random(dtype, {rows}, 18);
      Array y(dtype, {rows}), da(dtype, shape), db(dtype, shape), only(dtype, shape);
      cosine_similarity(on(2), a.view(), b.view(), bound, y.view());
      cosine_similarity_backward(on(2), a.view(), b.view(), bound, dy.view(), da.view(), db.view());
      std::vector<double> want, want_da, want_db;
      for (int64_t r = 0; r < rows; ++r) {
        double ab = 0, aa = 0, bb = 0;
        for (int64_t i = r * cols; i < (r + 1) * cols; ++i) {
          ab += a.get(i) * b.get(i);
          aa += a.get(i) * a.get(i);
          bb += b.get(i) * b.get(i);
        }
        const double na = std::max(std::sqrt(aa), bound), nb = std::max(std::sqrt(bb), bound),
                     s = ab / na / nb;
        want.push_back(s);
        for (int64_t i = r * cols; i < (r + 1) * cols; ++i) {
          want_da.push_back(dy.get(r) * (b.get(i) / na / nb - (na == bound ? 0 : s * a.get(i) / aa)));
          want_db.push_back(dy.get(r) * (a.get(i) / na / nb - (nb == bound ? 0 : s * b.get(i) / bb)));
        }
      }
      // A vector of length 0 has slopes as large as 1 / eps.
      double largest = 1;
      for (double slope : want_da) largest = std::max(largest, std::abs(slope));
      expect_close(y, want, 20 * eps, "y");
      if (dtype != DType::f16 || largest < 65504) expect_close(da, want_da, 20 * eps * largest, "da");
      expect_close(db, want_db, 20 * eps * std::max(1.0, 1 / static_cast<double>(cols)), "db");
      cosine_similarity_backward(on(), a.view(), b.view(), bound, dy.view(), {}, only.view());
      expect_same_bits(only, db, "db alone");
    }
  Array none(dtype, {0, 4}), y(dtype, {0});
  cosine_similarity(on(), none.view(), none.view(), 1e-8, y.view());
  cosine_similarity_backward(on(), none.view(), none.view(), 1e-8, y.view(), none.view(), none.view());
}

INSTANTIATE_TEST_SUITE_P(Kernels, Loss, ::testing::Values(DType::f32, DType::f64, DType::bf16, DType::f16),
                         [](const auto& at) { return std::string(name_of(at.param)); });

}  // namespace
}  // namespace iskra::kernels::testing
