// Tensors as containers: creation, views, copies, layouts, and the errors of misuse.
#include <gtest/gtest.h>

#include <numeric>

#include <iskra/core/allocator.h>
#include <iskra/core/ops.h>
#include <iskra/core/random.h>
#include <iskra/core/tensor.h>

#include "error_of.h"

namespace iskra {
namespace {

using testing::as_on_cpu;
using testing::error_of;

Tensor counted(const Shape& shape) {
  std::vector<float> v(static_cast<size_t>(shape.numel()));
  std::iota(v.begin(), v.end(), 0.0F);
  return Tensor::of(v, shape);
}

TEST(Tensor, KnowsWhatItIs) {
  Tensor x = Tensor::empty({2, 3, 4, 5}, {.dtype = DType::f64, .layout = Layout::channels_last});
  EXPECT_EQ(as_on_cpu(x.str()), "f64 (2, 3, 4, 5) cpu");
  EXPECT_TRUE(x.is_channels_last());
  EXPECT_FALSE(x.is_contiguous());
  EXPECT_TRUE(x.is_dense());
  EXPECT_EQ(x.size(-1), 5);
  EXPECT_EQ(x.bytes(), 2U * 3 * 4 * 5 * 8);
  EXPECT_EQ(x.strides(), Shape({60, 1, 15, 3}));
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensor, ViewsShareMemory) {
  Tensor x = counted({2, 3, 4});
  Tensor y = x.permute({2, 0, 1});
  EXPECT_EQ(y.shape(), Shape({4, 2, 3}));
  EXPECT_EQ(y.to_vector<float>()[1], 4.0F);
  y.narrow(0, 1, 2).fill(-1);
  EXPECT_EQ(x.to_vector<float>()[1], -1.0F);
  EXPECT_EQ(x.to_vector<float>()[3], 3.0F);
  EXPECT_TRUE(y.is_dense());
  EXPECT_FALSE(y.narrow(0, 1, 2).is_dense());
}

TEST(Tensor, ReshapeIsAViewWhereStridesAllowIt) {
  Tensor x = counted({2, 3, 4});
  EXPECT_EQ(x.reshape({6, -1}).raw_data(), x.raw_data());
  Tensor t = x.transpose(0, 1);  // (3,2,4), strides 4, 12, 1
  EXPECT_EQ(t.reshape({3, 2, 2, 2}).raw_data(), x.raw_data());
  Tensor copy = t.reshape({6, 4});
  EXPECT_NE(copy.raw_data(), x.raw_data());
  EXPECT_EQ(copy.to_vector<float>()[4], 12.0F);
  EXPECT_EQ(x.permute({2, 0, 1}).reshape({4, 6}).raw_data(), x.raw_data());
  EXPECT_EQ(Tensor::empty({0, 3}).reshape({3, 0}).shape(), Shape({3, 0}));
  EXPECT_EQ(counted({1}).reshape({}).item(), 0.0);
  // A narrowed view keeps its holes.
  Tensor holes = x.narrow(2, 0, 2);
  EXPECT_EQ(holes.reshape({6, 2}).raw_data(), x.raw_data());
  EXPECT_EQ(holes.reshape({12}).to_vector<float>(),
            (std::vector<float>{0, 1, 4, 5, 8, 9, 12, 13, 16, 17, 20, 21}));
}

TEST(Tensor, ExpandCatAndFlatten) {
  Tensor x = counted({2, 1});
  EXPECT_EQ(x.expand({3, 2, 2}).to_vector<float>(), (std::vector<float>{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}));
  EXPECT_EQ(cat({counted({1, 2}), counted({2, 2})}, 0).to_vector<float>(),
            (std::vector<float>{0, 1, 0, 1, 2, 3}));
  EXPECT_EQ(cat({counted({2, 1}), counted({2, 2})}, -1).to_vector<float>(),
            (std::vector<float>{0, 0, 1, 1, 2, 3}));
  EXPECT_EQ(counted({2, 3, 4}).flatten(1).shape(), Shape({2, 12}));
  EXPECT_EQ(Tensor::ones({}).flatten().shape(), Shape({1}));
}

TEST(Tensor, ConvertsAndCopies) {
  Tensor x = Tensor::of({1.75, -2.5, 300.0}, {3});
  EXPECT_EQ(x.to(DType::i32).to_vector<int32_t>(), (std::vector<int32_t>{1, -2, 300}));
  EXPECT_EQ(x.to(DType::u8).to_vector<uint8_t>()[2], 255);
  EXPECT_EQ(x.to(DType::f32).to(DType::f64).to_vector<double>(), x.to_vector<double>());
  Tensor image = counted({1, 2, 2, 2});
  Tensor last = image.contiguous(Layout::channels_last);
  EXPECT_EQ(last.to_vector<float>(), image.to_vector<float>());
  EXPECT_EQ(last.to(Device::cpu()).data<float>()[1], 4.0F);
  Tensor clone = last.clone();
  EXPECT_TRUE(clone.is_channels_last());
  EXPECT_NE(clone.raw_data(), last.raw_data());
}

TEST(Tensor, MisuseSaysWhatAndHowToMendIt) {
  Tensor x = counted({2, 3});
  EXPECT_EQ(error_of([&] { Tensor().shape(); }),
            "this Tensor is undefined (default-constructed, or moved from); give it a value first");
  EXPECT_EQ(error_of([&] { x.size(2); }), "size: axis 2 is outside a tensor of rank 2; use -2 to 1");
  EXPECT_EQ(error_of([&] { x.reshape({4, -1}); }),
            "reshape: (2, 3) has 6 elements, which do not fill shape (4, -1)");
  EXPECT_EQ(error_of([&] { x.reshape({-1, -1}); }),
            "reshape: shape (-1, -1) has two sizes of -1; only one can be worked out");
  EXPECT_EQ(error_of([&] { x.narrow(1, 2, 2); }),
            "narrow: elements 2 to 4 of axis 1, but f32 (2, 3) cpu has 3 there");
  EXPECT_EQ(error_of([&] { x.permute({0, 0}); }),
            "permute: the axes (0, 0) of f32 (2, 3) cpu name axis 0 twice; name each once");
  EXPECT_EQ(error_of([&] { x.squeeze(0); }),
            "squeeze: axis 0 of f32 (2, 3) cpu has size 2; it must have size 1");
  EXPECT_EQ(error_of([&] { x.item(); }),
            "item: the tensor is f32 (2, 3) cpu; it must have one element, to_vector() gives many");
  EXPECT_EQ(error_of([&] { x.data<double>(); }),
            "data<f64>: the tensor holds f32; convert it with to(DType::f64)");
  EXPECT_EQ(error_of([&] { Tensor::of({1.0F, 2.0F}, {3}); }),
            "Tensor::of: 2 values for shape (3), which has 3");
  EXPECT_EQ(error_of([&] { Tensor::empty({-1}); }),
            "Tensor: size -1 in shape (-1) is negative; sizes start at 0");
  EXPECT_NE(
      error_of([&] { Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}); }).find("more than 2^63 elements"),
      std::string::npos);
  EXPECT_NE(error_of([&] { Tensor::empty({int64_t{1} << 59}); }).find("out of memory: "), std::string::npos);
  EXPECT_EQ(error_of([&] { Device::parse("gpu"); }), "device 'gpu' is unknown; use cpu, cuda or cuda:N");
  EXPECT_EQ(error_of([&] { Device::parse("cuda:12345678901"); }),
            "device 'cuda:12345678901' is unknown; use cpu, cuda or cuda:N");
  if (Device::cuda_count() == 0) {
    EXPECT_EQ(error_of([&] { Device::parse("cuda"); }),
              "device cuda: this build has no CUDA; use the CPU (Device::cpu(), --device cpu)");
  }
  EXPECT_NE(error_of([&] { add(x, counted({2, 4})); }).find("(2, 4)"), std::string::npos);
}

TEST(Random, DependsOnSeedStepAndPlaceOnly) {
  auto draw = [](uint64_t seed, int64_t step, const char* place) {
    RngScope scope({.seed = seed, .step = step});
    RngPlace at(place);
    return uniform({5}, 0, 1).to_vector<float>();
  };
  EXPECT_EQ(draw(1, 2, "a"), draw(1, 2, "a"));
  EXPECT_NE(draw(1, 2, "a"), draw(2, 2, "a"));
  EXPECT_NE(draw(1, 2, "a"), draw(1, 3, "a"));
  EXPECT_NE(draw(1, 2, "a"), draw(1, 2, "b"));
  RngScope scope({.seed = 1, .step = 2});
  auto first = uniform({5}, 0, 1).to_vector<float>();
  EXPECT_NE(first, uniform({5}, 0, 1).to_vector<float>());  // the second call at the same place
  scope.advance();
  EXPECT_NE(first, uniform({5}, 0, 1).to_vector<float>());
}

TEST(Random, AShardDrawsWhatTheWholeBatchDraws) {
  Tensor x = Tensor::ones({6, 5});
  auto dropped = [&](int64_t first, const Tensor& part) {
    RngScope scope({.seed = 3, .step = 1, .first_sample = first});
    return dropout(part, 0.5).to_vector<float>();
  };
  std::vector<float> whole = dropped(0, x);
  std::vector<float> shard = dropped(4, x.narrow(0, 4, 2));
  EXPECT_EQ(shard, std::vector<float>(whole.begin() + 20, whole.end()));
}

}  // namespace
}  // namespace iskra
