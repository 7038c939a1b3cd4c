// Tensors of more than 2^31 elements, and of more than 2^32 bytes: no index on the way is 32 bits wide. A
// tensor holds zeros but for a few marked places on both sides of the border, which is where a wrapped index
// would read or write.
#include <gtest/gtest.h>

#include <array>

#include <iskra/core/allocator.h>
#include <iskra/core/autograd.h>
#include <iskra/core/ops.h>

namespace iskra {

namespace {

constexpr int64_t kBorder = int64_t{1} << 31;
constexpr int64_t kCount = kBorder + 4099;  // no multiple of any vector or piece of work
/// Places, and what stands there.
constexpr std::array<std::pair<int64_t, int>, 5> kMarks = {
    {{3, 1}, {kBorder - 1, 2}, {kBorder, 3}, {kBorder + 3, 4}, {kCount - 1, 5}}};

/// The tests run in one process, so that the allocator hands the same pages on: taking them from the system
/// costs more than all the rest. Before larger tensors it gives them back.
class Large : public ::testing::Test {};
class LargeHalf : public ::testing::Test {
 protected:
  void SetUp() override { release_cached_memory(Device::cpu()); }
};

double element(const Tensor& x, int64_t i) { return x.flatten().narrow(0, i, 1).item(); }

Tensor marked(DType dtype) {
  Tensor x = Tensor::zeros({kCount}, {.dtype = dtype});
  for (auto [place, value] : kMarks) x.narrow(0, place, 1).fill(value);
  return x;
}

/// Each mark, and the zeros around it.
void expect_marks(const Tensor& x, double factor = 1) {
  ASSERT_EQ(x.numel(), kCount);
  for (auto [place, value] : kMarks) EXPECT_EQ(element(x, place), value * factor) << "at " << place;
  for (int64_t place :
       {int64_t{0}, int64_t{4}, kBorder - 2, kBorder + 1, kBorder + 2, kBorder + 4, kCount - 2}) {
    EXPECT_EQ(element(x, place), 0) << "at " << place;
  }
}

}  // namespace

TEST_F(Large, CopyAndFill) {
  Tensor x = marked(DType::u8), y = x.clone();
  expect_marks(y);
  y.fill(7);
  for (int64_t place : {int64_t{0}, kBorder - 1, kBorder, kCount - 1}) EXPECT_EQ(element(y, place), 7);
  y.copy_from(x);
  expect_marks(y);
}

TEST_F(Large, StridedCopies) {
  // Every other element: 2^31 elements of stride 2, beyond 2^32 bytes.
  Tensor pairs = Tensor::zeros({kCount, 2}, {.dtype = DType::u8});
  for (auto [place, value] : kMarks) pairs.narrow(0, place, 1).narrow(1, 1, 1).fill(value);
  expect_marks(pairs.narrow(1, 1, 1).contiguous());
  pairs = pairs.narrow(1, 1, 1).squeeze(1);
  expect_marks(pairs);
}

TEST_F(Large, Transposed) {
  constexpr int64_t kRows = 40000, kColumns = 60007;
  Tensor x = Tensor::zeros({kRows, kColumns}, {.dtype = DType::u8});
  x.narrow(0, kRows - 1, 1).narrow(1, 17, 1).fill(9);
  Tensor y = x.transpose(0, 1).contiguous();
  EXPECT_GT(y.numel(), kBorder);
  EXPECT_EQ(element(y, 17 * kRows + kRows - 1), 9);
  EXPECT_EQ(element(x, (kRows - 1) * kColumns + 17), 9);
}

TEST_F(Large, ViewsAcrossTheBorder) {
  Tensor x = marked(DType::u8);
  Tensor window = x.narrow(0, kBorder - 2, 8);
  EXPECT_EQ(window.to(DType::f32).to_vector<float>(), (std::vector<float>{0, 2, 3, 0, 0, 4, 0, 0}));
  EXPECT_EQ(element(x.narrow(0, 1, kCount - 1), kBorder - 1), 3);
  Tensor grid = x.narrow(0, 0, kBorder).reshape({2, 1 << 15, 1 << 15});
  EXPECT_EQ(element(grid.narrow(0, 1, 1), kBorder / 2 - 1), 2);
}

TEST_F(Large, Cat) {
  Tensor x = marked(DType::u8);
  expect_marks(cat({x.narrow(0, 0, kBorder - 5), x.narrow(0, kBorder - 5, kCount - kBorder + 5)}, 0));
}

TEST_F(Large, Indices) {
  Tensor x = marked(DType::u8);
  EXPECT_EQ(static_cast<int64_t>(argmax(x).item()), kCount - 1);
  Tensor places = Tensor::of<int64_t>({kCount - 1, kBorder, 3, kBorder + 1}, {4});
  for (const Tensor& y : {index_select(x, 0, places), gather(x, 0, places)}) {
    EXPECT_EQ(y.to(DType::f32).to_vector<float>(), (std::vector<float>{5, 3, 1, 0}));
  }
  x = scatter(x, 0, places.narrow(0, 0, 2), Tensor::zeros({2}, {.dtype = DType::u8}));
  EXPECT_EQ(static_cast<int64_t>(argmax(x).item()), kBorder + 3);
}

TEST_F(LargeHalf, Conversion) {
  Tensor x = marked(DType::u8).to(DType::bf16);
  EXPECT_GT(x.bytes(), size_t{1} << 32);
  expect_marks(x);
  expect_marks(x.to(DType::u8));
}

TEST_F(LargeHalf, Pointwise) {
  Tensor x = marked(DType::bf16);
  expect_marks(neg(x), -1);
}

TEST_F(LargeHalf, Product) {
  constexpr int64_t kRows = 65536, kColumns = 32773;
  Tensor a = Tensor::zeros({kRows, 2}, {.dtype = DType::bf16});
  Tensor b = Tensor::ones({2, kColumns}, {.dtype = DType::bf16});
  a.narrow(0, kRows - 1, 1).fill(3);
  b.narrow(1, kColumns - 2, 1).fill(5);
  Tensor y = matmul(a, b);
  EXPECT_GT(y.numel(), kBorder);
  EXPECT_EQ(y.narrow(0, kRows - 1, 1).narrow(1, kColumns - 4, 4).to(DType::f32).to_vector<float>(),
            (std::vector<float>{6, 6, 30, 6}));
  EXPECT_EQ(y.narrow(0, kRows - 2, 1).narrow(1, kColumns - 2, 1).item(), 0);
}

}  // namespace iskra
