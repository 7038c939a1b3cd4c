// The tape as a picture, and the memory that it keeps against the formula of what backward reads.
#include <gtest/gtest.h>

#include <iskra/core/graph.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;

TEST(Graph, IsWrittenAsGraphvizText) {
  Tensor x = Tensor::of({1.0F, 2.0F}, {2}).set_requires_grad();
  Tensor w = Tensor::of({3.0F, 4.0F}, {2}).set_requires_grad();
  Tensor h = x * w;
  Tensor loss = sum(h + x);
  EXPECT_EQ(to_dot(loss, {{"weight \"w\"", w}, {"h", h}}),
            "digraph tape {\n"
            "  node [shape=box];\n"
            "  t0 [label=\"sum\\nf32 ()\\nsaves 0 bytes\"];\n"
            "  t1 -> t0;\n"
            "  t1 [label=\"add\\nf32 (2)\\nsaves 0 bytes\"];\n"
            "  t2 -> t1;\n"
            "  t4 -> t1;\n"
            "  t2 [label=\"mul h\\nf32 (2)\\nsaves 16 bytes\"];\n"
            "  t4 -> t2;\n"
            "  t3 -> t2;\n"
            "  t3 [label=\"weight \\\"w\\\"\\nf32 (2)\" shape=ellipse];\n"
            "  t4 [label=\"leaf\\nf32 (2)\" shape=ellipse];\n"
            "}\n");
  loss.backward();
  EXPECT_NE(to_dot(loss).find("label=\"mul\\nf32 (2)\\nused\""), std::string::npos);
  EXPECT_NE(error_of([&] { to_dot(x.detach()); }).find("to_dot: this Tensor f32 (2) cpu has no graph"),
            std::string::npos);
}

TEST(SavedBytes, CountsABlockOnce) {
  Tensor x = Tensor::ones({10}).set_requires_grad();
  Tensor h = x * 2.0 + 1.0;
  Tensor y = h * h + tanh(h * 3.0);
  // h (twice by one node, no more than once), tanh's result, the numbers 2 and 3. x is a leaf.
  SavedBytes kept = saved_bytes(y);
  EXPECT_EQ(kept.activations, h.bytes() + 10 * 4 + 2 * 4);
  EXPECT_EQ(kept.leaves, 0U);  // x * 2 does not read x, for 2 takes no gradient
  EXPECT_EQ(saved_bytes({y, h}).activations, kept.activations);
  sum(y).backward();
  EXPECT_EQ(saved_bytes(y).activations, 0U);
}

size_t bytes_of(std::initializer_list<int64_t> elements) {
  size_t total = 0;
  for (int64_t n : elements) total += static_cast<size_t>(n) * 4;
  return total;
}

TEST(SavedBytes, OfAViTBlockAreWhatBackwardReads) {
  const int64_t n = 2, t = 7, c = 16, heads = 2, hidden = 64, rows = n * t;
  auto weight = [](const Shape& shape) { return normal(shape, 0, 0.1).set_requires_grad(); };
  RngScope scope({.seed = 1});
  Tensor x = normal({n, t, c}, 0, 1).set_requires_grad();
  Tensor g1 = weight({c}), b1 = weight({c}), g2 = weight({c}), b2 = weight({c});
  Tensor qkv_w = weight({3 * c, c}), qkv_b = weight({3 * c}), proj_w = weight({c, c}), proj_b = weight({c});
  Tensor fc1_w = weight({hidden, c}), fc1_b = weight({hidden}), fc2_w = weight({c, hidden}),
         fc2_b = weight({c});
  Tensor start = x + 0.0;  // as if a block came before
  const size_t before = saved_bytes(start).activations;
  Tensor qkv = linear(layer_norm(start, g1, b1), qkv_w, qkv_b);
  Tensor h = start + dropout(linear(packed_attention(qkv, heads), proj_w, proj_b), 0.1);
  qkv = {};
  Tensor y = h + dropout(linear(gelu(linear(layer_norm(h, g2, b2), fc1_w, fc1_b)), fc2_w, fc2_b), 0.1);
  SavedBytes kept = saved_bytes(y);
  const size_t expected = bytes_of({
      rows * c, rows, rows,     // norm1: its input, mean and rstd
      rows * c,                 // qkv: the norm's result
      rows * 3 * c,             // attention: q, k, v
      rows * c, n * heads * t,  // attention: its result (proj's input too) and the log-sum-exp
      rows * c, rows, rows,     // norm2: h, mean and rstd
      rows * c,                 // fc1: the norm's result
      rows * hidden,            // gelu: its input
      rows * hidden,            // fc2: gelu's result
  });
  const size_t rng_step = 8;  // dropout keeps no mask: it draws the same numbers again
  EXPECT_EQ(kept.activations - before, expected + rng_step);
  // Of the parameters, all that multiply something: not the biases.
  size_t read = g1.bytes() + g2.bytes() + qkv_w.bytes() + proj_w.bytes() + fc1_w.bytes() + fc2_w.bytes();
  EXPECT_EQ(kept.leaves, read);
}

TEST(SavedBytes, OfAVggBlockAreWhatBackwardReads) {
  const int64_t n = 2, c = 4, k = 6, size = 8;
  RngScope scope({.seed = 1});
  auto weight = [](const Shape& shape) { return normal(shape, 0, 0.1).set_requires_grad(); };
  Tensor x = Tensor::ones({n, c, size, size}, {.layout = Layout::channels_last});
  Tensor w1 = weight({k, c, 3, 3}), b1 = weight({k}), w2 = weight({k, k, 3, 3}), b2 = weight({k});
  Conv2dOptions same{.padding = {1, 1}};
  Tensor y = max_pool2d(relu(conv2d(relu(conv2d(x, w1, b1, same)), w2, b2, same)),
                        {.size = {2, 2}, .stride = {2, 2}});
  const int64_t map = n * k * size * size;
  const size_t expected = bytes_of({
      n * c * size * size,  // conv1: the picture
      map,                  // relu1: its result, which is conv2's input
      map,                  // relu2: its result
      map / 4,              // pool: the place of each maximum, i32
  });
  EXPECT_EQ(saved_bytes(y).activations, expected);
  EXPECT_EQ(saved_bytes(y).leaves, w2.bytes());  // w1 would give the picture's gradient, which nobody wants
}

}  // namespace
}  // namespace iskra
