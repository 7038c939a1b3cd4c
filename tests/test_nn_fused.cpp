// Layers that do what follows them in their own pass: the same numbers as without, and what the tape keeps.
#include <gtest/gtest.h>

#include <iskra/core/autocast.h>
#include <iskra/core/graph.h>
#include <iskra/core/random.h>
#include <iskra/nn/layers.h>

#include "golden_compare.h"

namespace iskra::nn {

namespace {

using testing::same_bits;

void expect_close(const Tensor& a, const Tensor& b, const std::string& what) {
  EXPECT_EQ(a.dtype(), b.dtype()) << what;
  EXPECT_TRUE(all_close(a, b, 1e-12, 1e-12)) << what;
}

/// The gradients of sum(y * weights): of x and of every parameter.
std::vector<Tensor> gradients(Module& model, const Tensor& x, const Tensor& y) {
  RngScope scope({.seed = 12});
  sum(y * normal(y.shape(), 0, 1, {.dtype = y.dtype()})).backward();
  std::vector<Tensor> all = {x.grad()};
  for (Named& each : model.parameters()) {
    all.push_back(each.tensor.grad());
    each.tensor.clear_grad();
  }
  Tensor(x).clear_grad();
  return all;
}

/// The block with its additions taken apart, at the block's place, so that dropout draws the same numbers.
Tensor taken_apart(TransformerBlock& b, const Tensor& x) {
  RngPlace place(b.name());
  Tensor h = x + b.attn(b.norm1(x));
  return h + b.mlp(b.norm2(h));
}
Tensor written_out(TransformerBlock& b, const Tensor& x, int64_t heads) {
  auto through = [](Linear& at, const Tensor& in) { return linear(in, at.weight) + at.bias; };
  Tensor h = x + through(b.attn.proj, packed_attention(through(b.attn.qkv, b.norm1(x)), heads));
  return h + through(b.mlp.fc2, gelu(through(b.mlp.fc1, b.norm2(h))));
}

size_t bytes_of(std::initializer_list<int64_t> floats) {
  int64_t all = 0;
  for (int64_t count : floats) all += count;
  return static_cast<size_t>(all) * sizeof(float);
}

}  // namespace

TEST(Fused, ATransformerBlockComputesItsFormula) {
  RngScope scope({.seed = 11});
  TransformerBlock block({.width = 12, .heads = 3});
  block.to(DType::f64);
  Tensor x = normal({2, 5, 12}, 0, 1, {.dtype = DType::f64}).set_requires_grad();
  Tensor y = block(x), want = written_out(block, x, 3);
  expect_close(y, want, "forward");
  auto got = gradients(block, x, y), wanted = gradients(block, x, want);
  for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], wanted[i], text("gradient ", i));
}

// With dropout nothing can be fused behind it, and the draws are those of the modules.
TEST(Fused, ATransformerBlockWithDropoutHasTheBitsOfItsParts) {
  RngScope outer({.seed = 11});
  TransformerBlock block({.width = 12, .heads = 3, .dropout = 0.3});
  Tensor x = normal({2, 5, 12}, 0, 1);
  auto run = [&](auto f) {
    RngScope scope({.seed = 13});
    return f();
  };
  Tensor y = run([&] { return block(x); });
  EXPECT_TRUE(same_bits(y, run([&] { return taken_apart(block, x); })));
  block.eval();
  EXPECT_FALSE(same_bits(y, block(x)));
  EXPECT_TRUE(all_close(block(x), taken_apart(block, x), 1e-5, 1e-5));
}

TEST(Fused, AResidualStaysAsWideAsItIs) {
  RngScope scope({.seed = 11});
  TransformerBlock block({.width = 12, .heads = 3});
  Tensor x = normal({2, 5, 12}, 0, 1);
  {
    Autocast mixed;
    Tensor y = block(x);
    EXPECT_EQ(y.dtype(), DType::f32);
    EXPECT_TRUE(same_bits(y, taken_apart(block, x)));
  }
  Linear narrow(12, 12);
  narrow.to(DType::bf16);
  Tensor low = x.to(DType::bf16);
  EXPECT_EQ(narrow(low, {.residual = x}).dtype(), DType::f32);
  EXPECT_TRUE(same_bits(narrow(low, {.residual = x}), narrow(low) + x));
  EXPECT_EQ(narrow(low, {.residual = low}).dtype(), DType::bf16);
}

TEST(Fused, ASequentialComputesItsModulesInARow) {
  RngScope scope({.seed = 11});
  Sequential model;
  model.add(ReLU());  // nothing before it to be fused into
  model.add(Conv2d({.in = 3, .out = 4, .kernel = 3, .padding = 1}));
  model.add(ReLU());
  model.add(GELU());  // behind an activation
  model.add(MaxPool2d(2));
  model.add(ReLU());  // behind a layer without sums
  model.add(Conv2d({.in = 4, .out = 2, .kernel = 2}));
  model.add(GELU());
  model.add(Conv2d({.in = 2, .out = 2, .kernel = 1}));  // the last: nothing follows
  model.to(DType::f64);
  Tensor x = normal({2, 3, 6, 6}, 0, 1, {.dtype = DType::f64}).set_requires_grad();
  Tensor want = x;
  for (size_t i = 0; i < model.size(); ++i) want = model[i](want);
  Tensor y = model(x);
  expect_close(y, want, "forward");
  auto got = gradients(model, x, y), wanted = gradients(model, x, want);
  for (size_t i = 0; i < got.size(); ++i) expect_close(got[i], wanted[i], text("gradient ", i));
  std::vector<std::string> names;
  for (const Named& each : model.parameters()) names.push_back(each.name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"1.weight", "1.bias", "6.weight", "6.bias", "8.weight", "8.bias"}));
}

TEST(Fused, AMlpWithDropoutKeepsItsOrder) {
  RngScope outer({.seed = 11});
  Mlp mlp({.width = 6, .hidden = 8, .dropout = 0.4});
  Tensor x = normal({7, 6}, 0, 1), residual = normal({7, 6}, 0, 1);
  auto run = [&](const FusedOptions& then) {
    RngScope scope({.seed = 13});
    return mlp(x, then);
  };
  Tensor plain = run({});
  EXPECT_TRUE(same_bits(run({.activation = Activation::relu, .residual = residual}), relu(plain) + residual));
  EXPECT_TRUE(same_bits(run({.activation = Activation::gelu}), gelu(plain)));
  EXPECT_TRUE(same_bits(run({.activation = Activation::gelu_tanh}), gelu_tanh(plain)));
}

TEST(Fused, ATransformerBlockKeepsWhatItsBackwardReads) {
  const int64_t n = 2, t = 7, c = 16, heads = 2, hidden = 64, rows = n * t;
  RngScope scope({.seed = 1});
  TransformerBlock block({.width = c, .heads = heads});
  Tensor x = normal({n, t, c}, 0, 1).set_requires_grad();
  Tensor start = x + 0.0;  // as if a block came before
  const size_t before = saved_bytes(start).activations;
  Tensor y = block(start);
  EXPECT_EQ(saved_bytes(y).activations - before, bytes_of({
                                                     rows * c, rows, rows,  // norm1: its input, mean and rstd
                                                     rows * c,              // qkv: the norm's result
                                                     rows * 3 * c,          // attention: q, k, v
                                                     rows * c, n * heads * t,  // its result and log-sum-exp
                                                     rows * c, rows, rows,     // norm2: h, mean and rstd
                                                     rows * c,                 // fc1: the norm's result
                                                     rows * hidden,            // fc1: what GELU takes
                                                     rows * hidden,            // fc2: what GELU gives
                                                 }));
}

TEST(Fused, AVggStageKeepsWhatItsBackwardReads) {
  const int64_t n = 2, c = 4, k = 6, size = 8, map = n * k * size * size;
  RngScope scope({.seed = 1});
  Sequential stage;
  stage.add(Conv2d({.in = c, .out = k, .kernel = 3, .padding = 1}));
  stage.add(ReLU());
  stage.add(Conv2d({.in = k, .out = k, .kernel = 3, .padding = 1}));
  stage.add(ReLU());
  stage.add(MaxPool2d(2));
  Tensor x = Tensor::ones({n, c, size, size}, {.layout = Layout::channels_last});
  EXPECT_EQ(saved_bytes(stage(x)).activations, bytes_of({
                                                   n * c * size * size,  // conv1: the picture
                                                   map,      // conv1: what ReLU gives, conv2's input too
                                                   map,      // conv2: what ReLU gives
                                                   map / 4,  // pool: the place of each maximum, i32
                                               }));
}

}  // namespace iskra::nn
