// What is said to those who use an op wrongly: which op, both values, and a way out.
#include <gtest/gtest.h>

#include <functional>

#include <iskra/core/ops.h>

#include "error_of.h"

namespace iskra {

using testing::error_of;

namespace {

struct Misuse {
  std::string name;
  std::function<void()> call;
  std::vector<std::string> says;  ///< parts of the message, in any order
};

Tensor floats(const Shape& shape) { return Tensor::zeros(shape); }
Tensor doubles(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::f64}); }
Tensor integers(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::i64}); }

std::vector<Misuse> pointwise_misuses() {
  std::vector<Misuse> all;
#define ISKRA_MISUSE(name, doc) \
  all.push_back({#name "_integers", [] { name(integers({2})); }, {#name ":", "i64 (2)", "floating"}});
  ISKRA_UNARY_OPS(ISKRA_MISUSE)
#undef ISKRA_MISUSE
#define ISKRA_MISUSE(name, doc)                                                                      \
  all.push_back(                                                                                     \
      {#name "_shapes", [] { name(floats({2, 3}), floats({2, 4})); }, {#name, "(2, 3)", "(2, 4)"}}); \
  all.push_back(                                                                                     \
      {#name "_integers", [] { name(integers({2}), integers({2})); }, {#name ":", "i64", "floating"}});
  ISKRA_BINARY_OPS(ISKRA_MISUSE)
#undef ISKRA_MISUSE
  return all;
}

const std::vector<Misuse> kReductions = {
    {"sum_axis", [] { sum(floats({2, 3}), {2}); }, {"sum", "2"}},
    {"sum_axis_twice", [] { sum(floats({2, 3}), {1, -1}); }, {"sum", "twice"}},
    {"sum_integers", [] { sum(integers({3})); }, {"sum", "i64 (3)", "floating"}},
    {"mean_of_nothing", [] { mean(floats({0, 3})); }, {"mean", "(0, 3)"}},
    {"mean_axis", [] { mean(floats({2, 3}), {-3}); }, {"mean", "-3"}},
    {"sum_to_shape", [] { sum_to(floats({2, 3}), {2, 4}); }, {"sum_to", "(2, 4)", "(2, 3)"}},
    {"sum_to_larger", [] { sum_to(floats({1, 3}), {2, 3}); }, {"sum_to", "(2, 3)", "(1, 3)"}},
    {"argmax_empty", [] { argmax(floats({2, 0})); }, {"argmax", "(2, 0)", "empty"}},
};

const std::vector<Misuse> kViews = {
    {"reshape_count", [] { floats({2, 3}).reshape({4, 2}); }, {"reshape", "(2, 3)", "6", "(4, 2)"}},
    {"reshape_two_guesses", [] { floats({2, 3}).reshape({-1, -1}); }, {"reshape", "(-1, -1)"}},
    {"reshape_no_guess", [] { floats({2, 3}).reshape({4, -1}); }, {"reshape", "(2, 3)", "(4, -1)"}},
    {"reshape_negative", [] { floats({2, 3}).reshape({-2, 3}); }, {"reshape", "-2", "negative"}},
    {"flatten_order", [] { floats({2, 3, 4}).flatten(2, 1); }, {"flatten", "2", "1"}},
    {"transpose_axis", [] { floats({2, 3}).transpose(0, 2); }, {"transpose", "2"}},
    {"permute_rank", [] { floats({2, 3}).permute({0}); }, {"permute", "(0)", "rank 2"}},
    {"permute_twice", [] { floats({2, 3}).permute({1, 1}); }, {"permute", "(1, 1)", "twice"}},
    {"narrow_end", [] { floats({2, 3}).narrow(1, 2, 2); }, {"narrow", "axis 1", "2 to 4", "3"}},
    {"narrow_negative", [] { floats({2, 3}).narrow(0, -1, 1); }, {"narrow", "-1"}},
    {"narrow_axis", [] { floats({2, 3}).narrow(2, 0, 1); }, {"narrow", "2"}},
    {"squeeze_size", [] { floats({2, 3}).squeeze(1); }, {"squeeze", "axis 1", "(2, 3)", "size 3"}},
    {"unsqueeze_axis", [] { floats({2, 3}).unsqueeze(3); }, {"unsqueeze", "3"}},
    {"unsqueeze_rank", [] { floats({1, 1, 1, 1, 1, 1, 1, 1}).unsqueeze(0); }, {"unsqueeze", "8"}},
    {"expand_shape", [] { floats({2, 3}).expand({2, 6}); }, {"expand", "(2, 3)", "(2, 6)"}},
    {"expand_rank", [] { floats({2, 3}).expand({3}); }, {"expand", "(2, 3)", "(3)"}},
    {"channels_last_rank", [] { floats({2, 3}).contiguous(Layout::channels_last); }, {"channels", "(2, 3)"}},
    {"cat_nothing", [] { cat({}, 0); }, {"cat", "empty"}},
    {"cat_shapes", [] { cat({floats({2, 3}), floats({2, 4})}, 0); }, {"cat", "(2, 3)", "(2, 4)", "axis 0"}},
    {"cat_ranks", [] { cat({floats({2, 3}), floats({3})}, 0); }, {"cat", "(2, 3)", "(3)"}},
    {"cat_axis", [] { cat({floats({2})}, 1); }, {"cat", "1"}},
};

const std::vector<Misuse> kProducts = {
    {"matmul_inner", [] { matmul(floats({2, 3}), floats({4, 5})); }, {"matmul", "(2, 3)", "(4, 5)"}},
    {"matmul_vector", [] { matmul(floats({3}), floats({3, 4})); }, {"matmul", "(3)", "unsqueeze"}},
    {"matmul_batch", [] { matmul(floats({2, 3, 4}), floats({5, 4, 3})); }, {"matmul", "(2)", "(5)"}},
    {"matmul_dtypes",
     [] { matmul(floats({2, 3}), doubles({3, 2})); },
     {"matmul", "f32 (2, 3)", "f64 (3, 2)"}},
    {"linear_inputs", [] { linear(floats({2, 3}), floats({5, 4})); }, {"linear", "(2, 3)", "4"}},
    {"linear_weight", [] { linear(floats({2, 3}), floats({3})); }, {"linear", "(3)", "(outputs, inputs)"}},
    {"linear_bias",
     [] { linear(floats({2, 3}), floats({5, 3}), floats({3})); },
     {"linear", "f32 (3)", "f32 (5, 3)", "bias"}},
};

const std::vector<Misuse> kImages = {
    {"conv2d_channels",
     [] { conv2d(floats({1, 3, 8, 8}), floats({4, 2, 3, 3})); },
     {"conv2d", "3 channels", "takes 2"}},
    {"conv2d_rank",
     [] { conv2d(floats({3, 8, 8}), floats({4, 3, 3, 3})); },
     {"conv2d", "(3, 8, 8)", "(N,C,H,W)"}},
    {"conv2d_groups",
     [] { conv2d(floats({1, 4, 8, 8}), floats({3, 2, 3, 3}), {}, {.groups = 2}); },
     {"conv2d", "3 output channels", "2 groups"}},
    {"conv2d_small_picture",
     [] { conv2d(floats({1, 1, 2, 8}), floats({1, 1, 3, 3})); },
     {"conv2d", "window of 3", "size 2"}},
    {"conv2d_stride",
     [] { conv2d(floats({1, 1, 8, 8}), floats({1, 1, 3, 3}), {}, {.stride = {0, 1}}); },
     {"conv2d", "stride 0"}},
    {"conv2d_dilation",
     [] { conv2d(floats({1, 1, 8, 8}), floats({1, 1, 3, 3}), {}, {.dilation = {1, 0}}); },
     {"conv2d", "dilation"}},
    {"conv2d_bias",
     [] { conv2d(floats({1, 1, 8, 8}), floats({4, 1, 3, 3}), floats({1})); },
     {"conv2d", "bias", "f32 (1)", "(4, 1, 3, 3)"}},
    {"max_pool2d_rank", [] { max_pool2d(floats({8, 8})); }, {"max_pool2d", "(8, 8)", "(N,C,H,W)"}},
    {"max_pool2d_small_picture",
     [] { max_pool2d(floats({1, 1, 1, 4})); },
     {"max_pool2d", "window of 2", "size 1"}},
    {"max_pool2d_padding",
     [] { max_pool2d(floats({1, 1, 4, 4}), {.padding = {2, 0}}); },
     {"max_pool2d", "padding 2", "half"}},
    {"normalize_images_dtype",
     [] { normalize_images(floats({1, 4, 4, 3}), {0, 0, 0}, {1, 1, 1}); },
     {"normalize_images", "f32", "u8 (N,H,W,C)"}},
    {"normalize_images_channels",
     [] { normalize_images(Tensor::zeros({1, 4, 4, 3}, {.dtype = DType::u8}), {0}, {1}); },
     {"normalize_images", "1 means", "3 channels"}},
};

const std::vector<Misuse> kRows = {
    {"layer_norm_weight",
     [] { layer_norm(floats({2, 3}), floats({2})); },
     {"layer_norm", "f32 (2)", "f32 (2, 3)"}},
    {"layer_norm_number", [] { layer_norm(floats({})); }, {"layer_norm", "no axis"}},
    {"layer_norm_eps", [] { layer_norm(floats({2, 3}), {}, {}, 0); }, {"layer_norm", "eps 0", "positive"}},
    {"softmax_axis", [] { softmax(floats({2, 3}), 2); }, {"softmax", "2"}},
    {"softmax_integers", [] { softmax(integers({2, 3})); }, {"softmax", "i64 (2, 3)", "floating"}},
    {"cross_entropy_rows",
     [] { cross_entropy(floats({2, 3}), integers({3})); },
     {"cross_entropy", "f32 (2, 3)", "i64 (3)"}},
    {"cross_entropy_label_dtype",
     [] { cross_entropy(floats({2, 3}), floats({2})); },
     {"cross_entropy", "f32 (2)", "i64"}},
    {"cross_entropy_label",
     [] { cross_entropy(floats({2, 3}), Tensor::of<int64_t>({0, 3}, {2})); },
     {"cross_entropy", "label 3", "row 1", "3 classes"}},
    {"cross_entropy_negative_label",
     [] { cross_entropy(floats({1, 3}), Tensor::of<int64_t>({-1}, {1})); },
     {"cross_entropy", "label -1", "row 0"}},
    {"cross_entropy_empty",
     [] { cross_entropy(floats({0, 3}), integers({0})); },
     {"cross_entropy", "(0, 3)", "empty"}},
    {"cross_entropy_smoothing",
     [] { cross_entropy(floats({2, 3}), integers({2}), 1); },
     {"cross_entropy", "smoothing 1", "[0, 1)"}},
    {"attention_heads",
     [] { scaled_dot_product_attention(floats({1, 2, 4, 8}), floats({1, 3, 4, 8}), floats({1, 3, 4, 8})); },
     {"scaled_dot_product_attention", "(1, 2, 4, 8)", "(1, 3, 4, 8)"}},
    {"attention_keys",
     [] { scaled_dot_product_attention(floats({1, 2, 4, 8}), floats({1, 2, 4, 8}), floats({1, 2, 5, 8})); },
     {"scaled_dot_product_attention", "(1, 2, 4, 8)", "(1, 2, 5, 8)"}},
    {"attention_dtypes",
     [] { scaled_dot_product_attention(floats({1, 1, 1, 1}), doubles({1, 1, 1, 1}), floats({1, 1, 1, 1})); },
     {"scaled_dot_product_attention", "f32", "f64"}},
    {"packed_attention_heads",
     [] { packed_attention(floats({1, 4, 30}), 4); },
     {"packed_attention", "(1, 4, 30)", "4 heads"}},
    {"packed_attention_rank",
     [] { packed_attention(floats({4, 24}), 2); },
     {"packed_attention", "(4, 24)", "(N,T,3C)"}},
    {"dropout_one", [] { dropout(floats({2}), 1); }, {"dropout", "1", "[0, 1)"}},
    {"dropout_negative", [] { dropout(floats({2}), -0.5); }, {"dropout", "-0.5", "[0, 1)"}},
};

void expect_messages(const std::vector<Misuse>& misuses) {
  for (const Misuse& misuse : misuses) {
    SCOPED_TRACE(misuse.name);
    std::string message = error_of(misuse.call);
    EXPECT_FALSE(message.empty()) << "no Error was thrown";
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    for (const std::string& part : misuse.says) {
      EXPECT_NE(message.find(part), std::string::npos) << "'" << part << "' is not in: " << message;
    }
  }
}

TEST(MisusedOps, PointwiseSayWhatIsWrong) { expect_messages(pointwise_misuses()); }
TEST(MisusedOps, ReductionsSayWhatIsWrong) { expect_messages(kReductions); }
TEST(MisusedOps, ViewsSayWhatIsWrong) { expect_messages(kViews); }
TEST(MisusedOps, ProductsSayWhatIsWrong) { expect_messages(kProducts); }
TEST(MisusedOps, ImagesSayWhatIsWrong) { expect_messages(kImages); }
TEST(MisusedOps, RowsSayWhatIsWrong) { expect_messages(kRows); }

}  // namespace

}  // namespace iskra
