// Rows of matrix products.
#include "op_cases.h"

namespace iskra::testing {

namespace {

double product_flops(const std::vector<Shape>& x, const Shape& y, const Json&) {
  return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(x[0].back());
}

void add_matmul(OpTable& table) {
  table
      .op(
          "matmul",
          [](const Tensors& x, const Json& at) {
            Tensor a = at.value("transpose_a", false) ? x[0].transpose(-1, -2) : x[0];
            Tensor b = at.value("transpose_b", false) ? x[1].transpose(-1, -2) : x[1];
            return matmul(a, b);
          },
          [](const std::vector<Shape>& x, const Shape& y, const Json& at) {
            int axis = x[0].rank() - (at.value("transpose_a", false) ? 2 : 1);
            return 2.0 * static_cast<double>(y.numel()) * static_cast<double>(x[0][axis]);
          })
      .row("plain", {normal({5, 7}), normal({7, 3})})
      .row("primes", {normal({37, 53}), normal({53, 29})})
      .row("one", {normal({1, 1}), normal({1, 1})})
      .row("inner", {normal({1, 67}), normal({67, 1})})
      .row("outer", {normal({13, 1}), normal({1, 17})})
      .row("no_k", {normal({3, 0}), normal({0, 4})})
      .row("no_rows", {normal({0, 4}), normal({4, 3})})
      .row("transposed_a", {normal({9, 11}), normal({9, 5})}, {{"transpose_a", true}})
      .row("transposed_b", {normal({9, 11}), normal({5, 11})}, {{"transpose_b", true}})
      .row("transposed_both", {normal({9, 11}), normal({5, 9})},
           {{"transpose_a", true}, {"transpose_b", true}})
      .row("vectors", {normal({17}), normal({17})})
      .row("vector_matrix", {normal({5}), normal({5, 6})})
      .row("matrix_vector", {normal({4, 5}), normal({5})})
      .row("vector_batch", {normal({5}), normal({3, 5, 6})})
      .row("batch_vector", {normal({2, 3, 4, 5}), normal({5})})
      .row("batched", {normal({2, 3, 4, 5}), normal({2, 3, 5, 6})})
      .row("batched_transposed", {normal({3, 4, 5}), normal({3, 6, 5})}, {{"transpose_b", true}})
      .row("shared_right", {normal({2, 3, 4, 5}), normal({5, 6})})
      .row("shared_left", {normal({4, 5}), normal({3, 5, 6})})
      .row("broadcast_both", {normal({2, 1, 4, 5}), normal({3, 5, 6})})
      .row("no_batch", {normal({0, 4, 5}), normal({0, 5, 2})})
      .row("large", {normal({7, 19}, 1e12), normal({19, 5}, 1e12)}, Json::object(), {.gradcheck = false})
      .row("small", {normal({7, 19}, 1e-12), normal({19, 5}, 1e-12)}, Json::object(), {.gradcheck = false})
      .bench("mini", {normal({257, 191}), normal({191, 263})})
      .bench("square_1024", {normal({1024, 1024}), normal({1024, 1024})})
      .bench("vit_b_scores", {normal({96, 197, 64}), normal({96, 197, 64})}, {{"transpose_b", true}});
}

void add_linear(OpTable& table) {
  table
      .op(
          "linear",
          [](const Tensors& x, const Json& at) {
            return linear(x[0], x[1], nothing_or(x, 2), fused(x, 3, at));
          },
          product_flops)
      .row("plain", {normal({6, 5}), normal({4, 5}), normal({4})})
      .row("no_bias", {normal({6, 5}), normal({4, 5})})
      .row("tokens", {normal({2, 3, 5}), normal({7, 5}), normal({7})})
      .row("primes", {normal({29, 37}), normal({41, 37}), normal({41})})
      .row("relu", {normal({6, 5}), normal({4, 5}), normal({4})}, {{"activation", "relu"}})
      .row("gelu", {normal({3, 7, 5}), normal({9, 5}), normal({9})}, {{"activation", "gelu"}})
      .row("residual", {normal({6, 5}), normal({4, 5}), normal({4}), normal({6, 4})})
      .row("relu_residual", {normal({6, 5}), normal({4, 5}), normal({4}), normal({6, 4})},
           {{"activation", "relu"}})
      .row("gelu_residual", {normal({2, 3, 5}), normal({4, 5}), normal({4}), normal({2, 3, 4})},
           {{"activation", "gelu"}})
      .row("gelu_tanh", {normal({3, 7, 5}), normal({9, 5}), normal({9})}, {{"activation", "gelu_tanh"}})
      .row("gelu_tanh_residual", {normal({2, 3, 5}), normal({4, 5}), normal({4}), normal({2, 3, 4})},
           {{"activation", "gelu_tanh"}})
      .row("vector", {normal({5}), normal({4, 5}), normal({4})})
      .row("one_output", {normal({6, 5}), normal({1, 5}), normal({1})})
      .row("no_rows", {normal({0, 5}), normal({4, 5}), normal({4})})
      .bench("mini", {normal({64, 49, 64}), normal({192, 64}), normal({192})})
      .bench("vit_b_qkv", {normal({8, 197, 768}), normal({2304, 768}), normal({2304})})
      .bench("vit_b_fc1", {normal({8, 197, 768}), normal({3072, 768}), normal({3072})})
      .bench("vit_b_fc1_gelu", {normal({8, 197, 768}), normal({3072, 768}), normal({3072})},
             {{"activation", "gelu"}})
      .bench("vit_b_fc2", {normal({8, 197, 3072}), normal({768, 3072}), normal({768})})
      .bench("vgg16_head", {normal({8, 25088}), normal({512, 25088}), normal({512})});
}

}  // namespace

void add_product_ops(OpTable& table) {
  add_matmul(table);
  add_linear(table);
}

}  // namespace iskra::testing
