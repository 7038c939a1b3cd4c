// What attention does to scores and heads, against the definition: heads that share keys, widths of any size,
// causal queries, masks of every type and stride, dropped elements, queries and calls without keys.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <iskra/kernels/philox.h>
#include "attention_case.h"

namespace iskra::kernels::testing {
namespace {

using Case = AttentionCase;
constexpr double kNever = -std::numeric_limits<double>::infinity();

class AttentionRule : public ::testing::TestWithParam<Way> {
 protected:
  /// Runs and compares.
  static void check(const Case& c, Attention at, const AttentionRules& rules, const std::string& what = "") {
    AttentionData x = attention_data(c, GetParam().dtype, &token_strides);
    at.scale = c.scale, at.causal = c.causal;
    run_attention(at, x, GetParam().provider, 2);
    expect_attention(c, rules, x, GetParam().eps(), c.str() + what);
  }
};

TEST_P(AttentionRule, SharedKeysWidthsAndCausalQueries) {
  const std::vector<Case> cases = {
      {2, 6, 9, 21, 5, 0.4, 2, 3},     {1, 4, 70, 33, 40, 0.2, 1, 64},   {1, 2, 1, 40, 64, 0.125, 2, 64},
      {1, 2, 5, 270, 64, 0.1, 2, 20},  {1, 2, 3, 270, 100, 0.1, 1, 128}, {1, 1, 35, 20, 128, 0.1, 1, 128},
      {1, 2, 4, 9, 150, 0.1, 1, 260},  {1, 3, 3, 261, 32, 0.2, 1, 16},   {1, 2, 37, 6, 260, 0.1, 1, 8},
      {1, 2, 67, 270, 12, 0.3, 2, 12}, {1, 1, 34, 66, 80, 0.2, 1, 70}};
  for (Case c : cases)
    for (bool causal : {false, true}) {
      c.causal = causal;
      check(c, {}, {});
    }
}

/// A mask of any type and strides, as a caller lays it out.
struct Mask {
  DType type;
  Shape shape;  ///< of what is stored: 1 where it broadcasts
  bool transposed;
};

/// Its values by (item, query, key), and the view that kernels take.
class MaskValues {
 public:
  MaskValues(const Mask& mask, const Case& c) : mask_(mask), c_(c) {
    Shape dense = contiguous_strides(mask.shape);
    if (mask.transposed) dense = {dense[0], dense[1], 1, mask.shape[2]};
    for (int axis = 0; axis < 4; ++axis) stride_.push_back(mask.shape[axis] == 1 ? 0 : dense[axis]);
    const DType stored = mask.type == DType::boolean ? DType::f32 : mask.type;
    values_ = Array::random(stored, {mask.shape.numel()}, 77);
    for (int64_t i = 0; i < values_.numel(); ++i) {
      const bool seen = values_.get(i) < 0.5;
      if (!seen && mask.type != DType::f16) values_.set(i, kNever);  // f16: finite numbers alone
      bytes_.push_back(seen ? 1 : 0);
    }
  }
  View view() const {
    const Shape all = {c_.n, c_.heads, c_.t, c_.tk};
    if (mask_.type == DType::boolean) return {bytes_.data(), DType::boolean, all, stride_};
    return {values_.view().data, mask_.type, all, stride_};
  }
  double at(int64_t item, int64_t i, int64_t j) const {
    const int64_t place =
        item / c_.heads * stride_[0] + item % c_.heads * stride_[1] + i * stride_[2] + j * stride_[3];
    if (mask_.type == DType::boolean) return bytes_[static_cast<size_t>(place)] != 0 ? 0 : kNever;
    return values_.get(place);
  }

 private:
  Mask mask_;
  Case c_;
  Shape stride_;
  Array values_;
  std::vector<unsigned char> bytes_;
};

TEST_P(AttentionRule, MasksOfEveryTypeBroadcast) {
  const std::vector<Case> cases = {{2, 2, 6, 19, 8, 0.5}, {1, 2, 5, 259, 8, 0.5}, {2, 2, 18, 19, 8, 0.5}};
  for (Case c : cases) {
    const std::vector<Mask> masks = {
        {DType::f32, {c.n, c.heads, c.t, c.tk}, false}, {DType::f64, {1, c.heads, c.t, c.tk}, true},
        {DType::boolean, {c.n, 1, 1, c.tk}, false},     {DType::boolean, {1, 1, c.t, c.tk}, true},
        {DType::bf16, {1, 1, 1, c.tk}, false},          {DType::f16, {c.n, c.heads, c.t, 1}, false},
        {DType::boolean, {1, 1, c.t, 1}, false}};  // some queries see nothing
    for (size_t i = 0; i < masks.size(); ++i) {
      const MaskValues mask(masks[i], c);
      c.causal = i % 2 == 1;
      check(c, {.mask = mask.view()},
            {.mask = [&](int64_t item, int64_t q, int64_t k) { return mask.at(item, q, k); }, .kept = {}},
            text(" mask ", i));
    }
  }
}

/// Which elements of P a call keeps, from the generator alone.
double kept(const Attention& at, const Case& c, int64_t item, int64_t i, int64_t j) {
  const auto index = static_cast<uint64_t>(at.key.first + (item * c.t + i) * c.tk + j);
  const uint64_t step = at.key.step != nullptr ? static_cast<uint64_t>(*at.key.step) : 0;
  const PhiloxBlock block = philox(index / 4, step, philox_key(at.key.seed, at.key.place));
  return uniform_of(block.word[index % 4]) < at.dropout ? 0 : 1 / (1 - static_cast<double>(at.dropout));
}

TEST_P(AttentionRule, DropsWhatTheGeneratorSays) {
  const int64_t step = 11;
  const std::vector<Case> cases = {{2, 2, 9, 7, 8, 0.5},           {1, 4, 18, 22, 40, 0.2, 2},
                                   {1, 2, 6, 263, 70, 0.1},        {1, 2, 5, 264, 8, 0.3},
                                   {1, 1, 70, 67, 20, 0.2, 1, 36}, {1, 2, 35, 34, 100, 0.1}};
  for (Case c : cases)
    for (int64_t first : {int64_t{0}, int64_t{5}}) {
      const Attention at{.dropout = 0.3F, .key = {.seed = 3, .place = 5, .step = &step, .first = first}};
      c.causal = first != 0;
      check(c, at, {.mask = {}, .kept = [&](int64_t item, int64_t i, int64_t j) {
                      return kept(at, c, item, i, j);
                    }});
    }
}

// With v the identity, o is drop(P): an element is zero exactly where it was dropped.
TEST_P(AttentionRule, DroppedElementsAreZeroAndNoOthers) {
  for (const Case& c : {Case{2, 2, 19, 21, 6, 0.5, 2, 21}, Case{1, 1, 3, 258, 6, 0.5, 1, 258}}) {
    AttentionData x = attention_data(c, GetParam().dtype, &contiguous_strides);
    for (int64_t i = 0; i < x.v.numel(); ++i) x.v.set(i, i / c.vd % c.tk == i % c.vd ? 1 : 0);
    const Attention at{.scale = c.scale, .dropout = 0.4F, .key = {.seed = 8, .place = 1, .first = 2}};
    run_attention(at, x, GetParam().provider, 2);
    for (int64_t place = 0; place < x.o.numel(); ++place) {
      const int64_t row = place / c.vd;
      ASSERT_EQ(x.o.get(place) != 0, kept(at, c, row / c.t, row % c.t, place % c.vd) != 0) << place;
    }
  }
}

TEST_P(AttentionRule, NoQueriesOrNoKeys) {
  for (const Case& c : {Case{2, 2, 0, 5, 4, 1.0}, Case{0, 2, 3, 5, 4, 1.0}, Case{2, 2, 3, 0, 4, 1.0}}) {
    AttentionData x = attention_data(c, GetParam().dtype, &contiguous_strides);
    run_attention({}, x, GetParam().provider, 1);
    for (int64_t i = 0; i < x.o.numel(); ++i) EXPECT_EQ(x.o.get(i), 0);
    for (int64_t i = 0; i < x.lse.numel(); ++i) EXPECT_EQ(x.lse.get(i), kNever);
    for (int64_t i = 0; i < x.dq.numel(); ++i) EXPECT_EQ(x.dq.get(i), 0);
    for (int64_t i = 0; i < x.dk.numel(); ++i) EXPECT_EQ(x.dk.get(i), 0);
    for (int64_t i = 0; i < x.dv.numel(); ++i) EXPECT_EQ(x.dv.get(i), 0);
  }
}

// A query's results depend on what it sees, and on nothing that lies in its tile.
TEST_P(AttentionRule, ARowHasTheSameBitsWhateverIsBesideIt) {
  const Case c{1, 2, 21, 18, 24, 0.2}, one{1, 2, 1, 18, 24, 0.2};
  AttentionData all = attention_data(c, GetParam().dtype, &contiguous_strides);
  run_attention({.scale = c.scale}, all, GetParam().provider, 1);
  for (int64_t i : {int64_t{0}, int64_t{17}, int64_t{20}}) {
    AttentionData x = attention_data(one, GetParam().dtype, &contiguous_strides);
    for (int64_t h = 0; h < 2; ++h)
      for (int64_t d = 0; d < c.hd; ++d) x.q.set(h * c.hd + d, all.q.get((h * c.t + i) * c.hd + d));
    run_attention({.scale = c.scale}, x, GetParam().provider, 1);
    for (int64_t h = 0; h < 2; ++h) {
      EXPECT_NEAR(x.lse.get(h), all.lse.get(h * c.t + i), kOnCuda ? 0 : 1e-5);
      for (int64_t d = 0; d < c.hd; ++d)  // the CPU's products are of other sizes
        EXPECT_NEAR(x.o.get(h * c.hd + d), all.o.get((h * c.t + i) * c.hd + d), kOnCuda ? 0 : 0.01);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, AttentionRule, ::testing::ValuesIn(all_ways()), way_name);

}  // namespace
}  // namespace iskra::kernels::testing
