// Misuses of what works on rows: norms, softmax, attention, losses, dropout.
#include "misuses.h"

namespace iskra::testing {

namespace {

Tensor heads(int64_t n, int64_t t, int64_t width = 8) { return floats({1, n, t, width}); }

std::vector<Misuse> pair_loss_misuses() {
  return {
      ISKRA_MISUSED("nll_loss", nll_loss(floats({2, 3}), floats({2, 3})),
                    "nll_loss: the labels are f32 (2, 3) cpu; they must be i64"),
      ISKRA_MISUSED(
          "binary_cross_entropy_with_logits", binary_cross_entropy_with_logits(floats({2}), longs({2})),
          "binary_cross_entropy_with_logits: the input is f32 (2) cpu, the target i64 (2) cpu; they "
          "must have one shape and dtype"),
      ISKRA_MISUSED("binary_cross_entropy_with_logits",
                    binary_cross_entropy_with_logits(floats({2}), floats({2}), {.pos_weight = doubles({2})}),
                    "binary_cross_entropy_with_logits: pos_weight is f64 (2) cpu, the input f32 (2) cpu; it "
                    "must have the input's dtype and broadcast to its shape"),
      ISKRA_MISUSED(
          "mse_loss", mse_loss(floats({2}), floats({3})),
          "mse_loss: the input is f32 (2) cpu, the target f32 (3) cpu; they must have one shape and "
          "dtype"),
      ISKRA_MISUSED("l1_loss", l1_loss(longs({2}), longs({2})),
                    "l1_loss: the input is i64 (2) cpu; convert it to a floating dtype first"),
      ISKRA_MISUSED("smooth_l1_loss", smooth_l1_loss(floats({2}), floats({2}), -1),
                    "smooth_l1_loss: beta -1 must not be negative"),
      ISKRA_MISUSED("huber_loss", huber_loss(floats({2}), floats({2}), 0),
                    "huber_loss: delta 0 must be positive"),
      ISKRA_MISUSED("kl_div", kl_div(floats({2}), doubles({2})),
                    "kl_div: the input is f32 (2) cpu, the target f64 (2) cpu; they must have one shape and "
                    "dtype"),
      ISKRA_MISUSED("cosine_similarity", cosine_similarity(floats({2, 3}), floats({2, 3}), 1, -1),
                    "cosine_similarity: eps -1 must not be negative"),
      ISKRA_MISUSED("stochastic_depth", stochastic_depth(floats({2}), 1),
                    "stochastic_depth: probability 1 must be in [0, 1)"),
      ISKRA_MISUSED("dropout2d", dropout2d(floats({2}), 0.5),
                    "dropout2d: the input is f32 (2) cpu; it must have 2 axes at least"),
  };
}

std::vector<Misuse> loss_misuses() {
  return {
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({2, 3}), longs({3})),
                    "cross_entropy: the target is i64 (3) cpu, the logits f32 (2, 3) cpu; it must be labels, "
                    "i64 (2), or distributions like the logits"),
      ISKRA_MISUSED(
          "cross_entropy", cross_entropy(floats({2, 3}), longs({2}), {.weight = floats({2})}),
          "cross_entropy: the weight is f32 (2) cpu, the logits f32 (2, 3) cpu; it must be floating, "
          "one value per class"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(longs({2, 3}), longs({2})),
                    "cross_entropy: the input is i64 (2, 3) cpu; convert it to a floating dtype first"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({2, 3}), Tensor::of<int64_t>({0, 3}, {2})),
                    "cross_entropy: label 3 of row 1 is outside 0 to 2; the logits have 3 classes"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({1, 3}), Tensor::of<int64_t>({-1}, {1})),
                    "cross_entropy: label -1 of row 0 is outside 0 to 2; the logits have 3 classes"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({0, 3}), longs({0})),
                    "cross_entropy: logits of shape (0, 3) have no mean loss; the batch is empty"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({2, 3}), longs({2}), 1),
                    "cross_entropy: smoothing 1 must be in [0, 1)"),
      ISKRA_MISUSED("cross_entropy", cross_entropy(floats({2, 3}), Tensor()), kUndefined),
  };
}

std::vector<Misuse> attention_misuses() {
  return {
      ISKRA_MISUSED("scaled_dot_product_attention",
                    scaled_dot_product_attention(heads(2, 4), heads(3, 4), heads(3, 4)),
                    "scaled_dot_product_attention: q is (1, 2, 4, 8), k (1, 3, 4, 8); the heads of k and v, "
                    "3, must divide q's, 2"),
      ISKRA_MISUSED("scaled_dot_product_attention",
                    scaled_dot_product_attention(heads(2, 4), heads(2, 4), heads(2, 5)),
                    "scaled_dot_product_attention: q is (1, 2, 4, 8), k (1, 2, 4, 8), v (1, 2, 5, 8); they "
                    "must be (N,heads,T,width), (N,KH,TK,width) and (N,KH,TK,any width)"),
      ISKRA_MISUSED("scaled_dot_product_attention",
                    scaled_dot_product_attention(heads(2, 4), heads(2, 4, 6), heads(2, 4, 6)),
                    "scaled_dot_product_attention: q is (1, 2, 4, 8), k (1, 2, 4, 6), v (1, 2, 4, 6); they "
                    "must be (N,heads,T,width), (N,KH,TK,width) and (N,KH,TK,any width)"),
      ISKRA_MISUSED("scaled_dot_product_attention",
                    scaled_dot_product_attention(floats({4, 8}), heads(2, 4), heads(2, 4)),
                    "scaled_dot_product_attention: q is (4, 8), k (1, 2, 4, 8), v (1, 2, 4, 8); they must be "
                    "(N,heads,T,width), (N,KH,TK,width) and (N,KH,TK,any width)"),
      ISKRA_MISUSED("scaled_dot_product_attention",
                    scaled_dot_product_attention(heads(2, 4), doubles({1, 2, 4, 8}), heads(2, 4)),
                    "scaled_dot_product_attention: the dtypes f32, f64, f32 differ"),
      ISKRA_MISUSED("packed_attention", packed_attention(floats({1, 4, 30}), 4),
                    "packed_attention: the input has shape (1, 4, 30) for 4 heads; it must be (N,T,3C) with "
                    "C a multiple of the heads"),
      ISKRA_MISUSED("packed_attention", packed_attention(floats({1, 4, 24}), 0),
                    "packed_attention: the input has shape (1, 4, 24) for 0 heads; it must be (N,T,3C) with "
                    "C a multiple of the heads"),
      ISKRA_MISUSED("packed_attention", packed_attention(floats({4, 24}), 2),
                    "packed_attention: the input has shape (4, 24) for 2 heads; it must be (N,T,3C) with C a "
                    "multiple of the heads"),
      ISKRA_MISUSED(
          "packed_attention", packed_attention(longs({1, 4, 24}), 2),
          "packed_attention: the input is i64 (1, 4, 24) cpu; convert it to a floating dtype first"),
  };
}

std::vector<Misuse> norm_misuses() {
  return {
      ISKRA_MISUSED("layer_norm", layer_norm(floats({2, 3}), floats({2})),
                    "layer_norm: a parameter is f32 (2) cpu, the input f32 (2, 3) cpu; it must be (3), one "
                    "value per element of the normalised axes, in the input's dtype or f32"),
      ISKRA_MISUSED("layer_norm", layer_norm(floats({2, 3}), doubles({3})),
                    "layer_norm: a parameter is f64 (3) cpu, the input f32 (2, 3) cpu; it must be (3), one "
                    "value per element of the normalised axes, in the input's dtype or f32"),
      ISKRA_MISUSED("layer_norm", layer_norm(floats({2, 3}), {}, floats({1, 3})),
                    "layer_norm: a parameter is f32 (1, 3) cpu, the input f32 (2, 3) cpu; it must be (2, 3), "
                    "one value per element of the normalised axes, in the input's dtype or f32"),
      ISKRA_MISUSED("layer_norm", layer_norm(floats({})), "layer_norm: the input has no axis to normalise"),
      ISKRA_MISUSED("layer_norm", layer_norm(longs({2, 3})),
                    "layer_norm: the input is i64 (2, 3) cpu; convert it to a floating dtype first"),
      ISKRA_MISUSED("layer_norm", layer_norm(floats({2, 3}), {}, {}, 0),
                    "layer_norm: eps 0 must be positive"),
      ISKRA_MISUSED("rms_norm", rms_norm(floats({2, 3}), floats({2})),
                    "rms_norm: a parameter is f32 (2) cpu, the input f32 (2, 3) cpu; it must be (3), one "
                    "value per element of the normalised axes, in the input's dtype or f32"),
      ISKRA_MISUSED("rms_norm", rms_norm(floats({2, 3}), {}, -1), "rms_norm: eps -1 must be positive"),
      ISKRA_MISUSED("batch_norm", batch_norm(floats({4, 3}), {}, {}, floats({4})),
                    "batch_norm: a parameter is f32 (4) cpu, the input f32 (4, 3) cpu; it must be (3), one "
                    "value per channel, in the input's dtype or f32"),
      ISKRA_MISUSED("batch_norm", batch_norm(floats({3}), {}, {}),
                    "batch_norm: the input has shape (3); it must be (N,C) or (N,C,...)"),
      ISKRA_MISUSED("batch_norm", batch_norm(floats({4, 3}), floats({3}), {}),
                    "batch_norm: one running statistic is given; give both or none"),
      ISKRA_MISUSED("batch_norm", batch_norm(floats({4, 3}), floats({4}), floats({3})),
                    "batch_norm: a running statistic is f32 (4) cpu, the input f32 (4, 3) cpu; it must be a "
                    "dense f32 (3)"),
      ISKRA_MISUSED(
          "batch_norm", batch_norm(floats({1, 3}), {}, {}, {}, {}, {.training = true}),
          "batch_norm: the input is f32 (1, 3) cpu; in training it needs more than one value per channel"),
      ISKRA_MISUSED("batch_norm", batch_norm(floats({4, 3}), {}, {}, {}, {}, {.training = false}),
                    "batch_norm: outside of training it needs running_mean and running_var"),
      ISKRA_MISUSED(
          "group_norm", group_norm(floats({2, 6, 4}), 4),
          "group_norm: 4 groups of the channels of f32 (2, 6, 4) cpu; the groups must divide the channels"),
      ISKRA_MISUSED("group_norm", group_norm(floats({2, 6, 4}), 2, floats({2})),
                    "group_norm: a parameter is f32 (2) cpu, the input f32 (2, 6, 4) cpu; it must be (6), "
                    "one value per channel, in the input's dtype or f32"),
      ISKRA_MISUSED("group_norm", group_norm(longs({2, 6, 4}), 2),
                    "group_norm: the input is i64 (2, 6, 4) cpu; convert it to a floating dtype first"),
      ISKRA_MISUSED("instance_norm", instance_norm(floats({2, 6})),
                    "instance_norm: the input is f32 (2, 6) cpu; it needs more than one value per channel of "
                    "each sample"),
      ISKRA_MISUSED("instance_norm", instance_norm(floats({2, 6, 4}), doubles({6})),
                    "instance_norm: a parameter is f64 (6) cpu, the input f32 (2, 6, 4) cpu; it must be (6), "
                    "one value per channel, in the input's dtype or f32"),
      ISKRA_MISUSED("softmax", softmax(floats({2, 3}), 2),
                    "softmax: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("softmax", softmax(longs({2, 3})),
                    "softmax: the input is i64 (2, 3) cpu; convert it to a floating dtype first"),
      ISKRA_MISUSED("log_softmax", log_softmax(floats({2, 3}), -3),
                    "log_softmax: axis -3 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("softmax", softmax(Tensor()), kUndefined),
      ISKRA_MISUSED("dropout", dropout(floats({2}), 1), "dropout: probability 1 must be in [0, 1)"),
      ISKRA_MISUSED("dropout", dropout(floats({2}), -0.5), "dropout: probability -0.5 must be in [0, 1)"),
      ISKRA_MISUSED("dropout", dropout(longs({2}), 0.5),
                    "dropout: the input is i64 (2) cpu; convert it to a floating dtype first"),
  };
}

}  // namespace

std::vector<Misuse> row_misuses() {
  std::vector<Misuse> all;
  for (auto part : {pair_loss_misuses, loss_misuses, attention_misuses, norm_misuses}) {
    for (Misuse& misuse : part()) all.push_back(std::move(misuse));
  }
  return all;
}

}  // namespace iskra::testing
