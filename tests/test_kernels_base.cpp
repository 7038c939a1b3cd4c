// The vocabulary of kernels: shapes, errors, the parallel loop, and the choice of the ISA level.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include <iskra/kernels/check.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/parallel.h>

#include "error_of.h"

namespace iskra::kernels {
namespace {

using iskra::testing::error_of;

TEST(Base, ShapesHoldSizesAndPrint) {
  Shape shape{2, 3, 4};
  EXPECT_EQ(shape.numel(), 24);
  EXPECT_EQ(shape.str(), "(2, 3, 4)");
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ(Shape{}.str(), "()");
  EXPECT_EQ((Shape{5, 0, 2}.numel()), 0);
  shape.insert(1, 7);
  EXPECT_EQ(shape, (Shape{2, 7, 3, 4}));
  shape.erase(0);
  EXPECT_EQ(shape, (Shape{7, 3, 4}));
  shape.push_back(9);
  EXPECT_EQ(shape.back(), 9);
  EXPECT_FALSE(shape == (Shape{7, 3, 4}));
  EXPECT_EQ(Shape(std::vector<int64_t>{1, 2}), (Shape{1, 2}));
  EXPECT_EQ(Shape::filled(3, 4), (Shape{4, 4, 4}));
}

TEST(Base, NineDimensionsAreTooMany) {
  EXPECT_EQ(error_of([] { Shape shape(std::vector<int64_t>(9, 1)); }),
            "shape: 9 dimensions; iskra holds at most 8, merge some of them first");
  Shape full = Shape::filled(8, 1);
  EXPECT_THROW(full.push_back(1), Error);
}

TEST(Base, StridesOfBothLayouts) {
  const Shape shape{2, 3, 4, 5};
  EXPECT_EQ(contiguous_strides(shape), (Shape{60, 20, 5, 1}));
  EXPECT_EQ(channels_last_strides(shape), (Shape{60, 1, 15, 3}));
  const float data = 0;
  EXPECT_TRUE((View{&data, DType::f32, shape, contiguous_strides(shape)}.contiguous()));
  EXPECT_FALSE((View{&data, DType::f32, shape, contiguous_strides(shape)}.channels_last()));
  EXPECT_TRUE((View{&data, DType::f32, shape, channels_last_strides(shape)}.channels_last()));
  // With one channel, both layouts are the same memory, whatever the stride of the channel says.
  EXPECT_TRUE((View{&data, DType::f32, {2, 1, 4, 5}, {20, 1, 5, 1}}.contiguous()));
  EXPECT_TRUE((View{&data, DType::f32, {2, 1, 4, 5}, {20, 20, 5, 1}}.channels_last()));
}

TEST(Base, BroadcastFollowsNumPy) {
  EXPECT_EQ(broadcast_shapes({3, 1, 5}, {4, 5}, "add"), (Shape{3, 4, 5}));
  EXPECT_EQ(broadcast_shapes({}, {2}, "add"), (Shape{2}));
  EXPECT_EQ(broadcast_shapes({1}, {0}, "add"), (Shape{0}));
  EXPECT_EQ(
      error_of([] { broadcast_shapes({2, 3}, {4, 3}, "add"); }),
      "add: shapes (2, 3) and (4, 3) do not broadcast: sizes 2 and 4 at dimension -2 must be equal, or one "
      "of them 1");
}

TEST(Base, TypesHaveNamesAndSizes) {
  EXPECT_STREQ(name_of(DType::bf16), "bf16");
  EXPECT_STREQ(name_of(DType::boolean), "bool");
  EXPECT_EQ(size_of(DType::f16), 2U);
  EXPECT_EQ(size_of(DType::i64), 8U);
  EXPECT_EQ(size_of(DType::u8), 1U);
  EXPECT_EQ(dtype_of<double>, DType::f64);
}

TEST(Base, ErrorsSayWhere) {
  try {
    ISKRA_CHECK(1 > 2, "one is ", 1, ", two is ", 2.5);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "one is 1, two is 2.5");
    EXPECT_NE(error.where().find("test_kernels_base.cpp:"), std::string::npos) << error.where();
  }
}

TEST(Parallel, EveryElementOnceInPiecesOfTheGrain) {
  for (int threads : {1, 2, 3}) {
    for (int64_t n : {0, 1, 7, 100, 101}) {
      std::vector<int> visits(static_cast<size_t>(n), 0);
      std::atomic<int> pieces = 0;
      parallel_for(Cpu{threads}, n, 10, [&](int64_t begin, int64_t end) {
        EXPECT_EQ(begin % 10, 0);
        EXPECT_LE(end - begin, 10);
        ++pieces;
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      EXPECT_EQ(pieces, (n + 9) / 10);
      EXPECT_EQ(visits, std::vector<int>(static_cast<size_t>(n), 1));
    }
  }
}

TEST(Parallel, TheExceptionOfTheFirstPieceArrives) {
  for (int threads : {1, 3}) {
    std::string message = error_of([&] {
      parallel_for(Cpu{threads}, 50, 1, [](int64_t i, int64_t) {
        if (i >= 3) throw Error("piece " + std::to_string(i));
      });
    });
    EXPECT_EQ(message, "piece 3");
  }
}

TEST(Parallel, NestedLoopsRunInPlace) {
  std::vector<int64_t> sums(4, 0);
  parallel_for(Cpu{2}, 4, 1, [&](int64_t outer, int64_t) {
    parallel_for(Cpu{2}, 100, 9, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) sums[static_cast<size_t>(outer)] += i;
    });
  });
  EXPECT_EQ(sums, std::vector<int64_t>(4, 4950));
  EXPECT_GE(hardware_threads(), 1);
}

TEST(IsaLevel, IsWhatWasAskedFor) {
  const char* asked = std::getenv("ISKRA_CPU");
  EXPECT_STREQ(name_of(isa()), asked != nullptr ? asked : name_of(detected_isa()));
  EXPECT_EQ(by_isa(0, 1, 2), static_cast<int>(isa()));
}

TEST(IsaLevel, CapsOneDnn) { EXPECT_TRUE(onednn_is_capped()); }

}  // namespace
}  // namespace iskra::kernels
