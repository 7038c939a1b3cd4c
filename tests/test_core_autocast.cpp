// Autocast: which ops run in what, gradients in the parameter's type, casts once a scope.
#include <gtest/gtest.h>

#include <iskra/core/autocast.h>
#include <iskra/core/checkpoint.h>
#include <iskra/core/graph.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::error_of;

Tensor weight(const Shape& shape) { return normal(shape, 0, 0.3).set_requires_grad(); }

TEST(Autocast, ProductsRunLowAndSumsRunInSinglePrecision) {
  RngScope scope({.seed = 1});
  Tensor x = normal({2, 3, 8}, 0, 1), image = normal({1, 2, 4, 4}, 0, 1);
  for (DType low : {DType::bf16, DType::f16}) {
    Autocast mixed(low);
    EXPECT_EQ(matmul(x, x.transpose(1, 2)).dtype(), low);
    EXPECT_EQ(linear(x, weight({4, 8}), weight({4})).dtype(), low);
    EXPECT_EQ(linear(x.to(low), weight({4, 8})).dtype(), low);
    EXPECT_EQ(conv2d(image, weight({3, 2, 3, 3})).dtype(), low);
    Tensor h = x.to(low);
    EXPECT_EQ(exp(h).dtype(), DType::f32);
    EXPECT_EQ(log(exp(h)).dtype(), DType::f32);
    EXPECT_EQ(sum(h).dtype(), DType::f32);
    EXPECT_EQ(mean(h, {1}).dtype(), DType::f32);
    EXPECT_EQ(softmax(h).dtype(), DType::f32);
    EXPECT_EQ(cross_entropy(normal({2, 3}, 0, 1).to(low), Tensor::of({int64_t{0}, int64_t{2}}, {2})).dtype(),
              DType::f32);
    EXPECT_EQ(relu(h).dtype(), low);  // as given
    EXPECT_EQ((h + x).dtype(), DType::f32);
    {
      NoAutocast plain;
      EXPECT_EQ(exp(h).dtype(), low);
    }
  }
  EXPECT_EQ(matmul(x, x.transpose(1, 2)).dtype(), DType::f32);
}

TEST(Autocast, LeavesDoublePrecisionAndIntegersAlone) {
  Autocast mixed;
  Tensor x = Tensor::ones({2, 2}, {.dtype = DType::f64});
  EXPECT_EQ(matmul(x, x).dtype(), DType::f64);
  EXPECT_EQ(sum(x).dtype(), DType::f64);
  EXPECT_EQ(argmax(Tensor::ones({2, 2})).dtype(), DType::i64);
  EXPECT_EQ(error_of([] { Autocast wrong(DType::f32); }),
            "Autocast: f32 is no lower precision; use bf16 or f16");
}

TEST(Autocast, GradientsArriveInTheTypeOfTheParameter) {
  RngScope scope({.seed = 2});
  Tensor x = normal({4, 8}, 0, 1).set_requires_grad();
  Tensor w = weight({3, 8});
  Tensor loss;
  {
    Autocast mixed;
    loss = mean(linear(x, w));
  }
  loss.backward();  // outside of the scope
  EXPECT_EQ(loss.dtype(), DType::f32);
  for (const Tensor& p : {x, w}) EXPECT_EQ(p.grad().dtype(), DType::f32);
  // The same by hand.
  Tensor x2 = x.detach().set_requires_grad(), w2 = w.detach().set_requires_grad();
  mean(linear(x2.to(DType::bf16), w2.to(DType::bf16)).to(DType::f32)).backward();
  EXPECT_EQ(w.grad().to_vector<float>(), w2.grad().to_vector<float>());
  EXPECT_EQ(x.grad().to_vector<float>(), x2.grad().to_vector<float>());
}

int casts_in(const Tensor& loss) {
  std::string dot = to_dot(loss);
  int count = 0;
  for (size_t at = dot.find("\"to\\n"); at != std::string::npos; at = dot.find("\"to\\n", at + 1)) ++count;
  return count;
}

TEST(Autocast, ALeafIsCastOnceAScope) {
  RngScope scope({.seed = 3});
  Tensor x = normal({4, 8}, 0, 1), w = weight({8, 8});
  {
    Autocast mixed;
    Tensor y = linear(linear(linear(x, w), w), w);
    EXPECT_EQ(casts_in(y), 1);
    {
      Autocast inner;
      EXPECT_EQ(casts_in(y + linear(x, w)), 1);
    }
    y.backward(Tensor::ones({4, 8}, {.dtype = DType::bf16}));
    Tensor again = linear(x, w);  // the used cast is not handed out again
    again.backward(Tensor::ones({4, 8}, {.dtype = DType::bf16}));
    std::vector<float> before = linear(x, w).to_vector<float>();
    {
      NoGrad no_grad;
      EXPECT_FALSE(linear(x, w).requires_grad());
      w.mul_(2.0);
    }
    EXPECT_NE(linear(x, w).to_vector<float>(), before);  // nor is that of a value that has changed
  }
  EXPECT_EQ(w.grad().dtype(), DType::f32);
}

TEST(Autocast, ACheckpointRunsAgainInTheSamePrecision) {
  auto run = [](bool checked) {
    RngScope scope({.seed = 4});
    Tensor x = normal({4, 8}, 0, 1).set_requires_grad();
    Tensor w = weight({8, 8});
    auto block = [&](const std::vector<Tensor>& in) { return linear(tanh(linear(in[0], w)), w); };
    Tensor loss;
    {
      Autocast mixed;
      Tensor h = linear(x, w);
      h = checked ? checkpoint(block, {h}) : block({h});
      loss = sum(linear(h, w));
    }
    loss.backward();
    return std::pair(x.grad().to_vector<float>(), loss.item());
  };
  EXPECT_EQ(run(true), run(false));
}

}  // namespace
}  // namespace iskra
