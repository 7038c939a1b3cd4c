// Collectives over threads as ranks: values against sums in double, equal bits on all ranks, and the messages
// and bytes of the published formulas.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <cstring>
#include <mutex>

#include <iskra/dist/communicator.h>
#include <iskra/dist/thread_transport.h>

namespace iskra::dist {
namespace {

double value(int rank, int64_t i) { return std::sin(0.7 * static_cast<double>(i) + 1.3 * rank); }

Tensor rank_values(int rank, int64_t n, DType dtype) {
  std::vector<double> v(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) v[static_cast<size_t>(i)] = value(rank, i);
  return Tensor::of(v, {n}).to(dtype);
}

class Ranks : public testing::TestWithParam<int> {};

TEST_P(Ranks, AllReduceSumsWithEqualBitsEverywhere) {
  int p = GetParam();
  for (int64_t n :
       {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{p - 1}, int64_t{p}, int64_t{p + 1}, int64_t{1023}}) {
    std::vector<std::vector<float>> results(static_cast<size_t>(p));
    run_ranks(p, [&](Transport& transport) {
      Communicator ranks(transport);
      Tensor x = rank_values(ranks.rank(), n, DType::f32);
      ranks.all_reduce(x);
      results[static_cast<size_t>(ranks.rank())] = x.to_vector<float>();
    });
    for (int64_t i = 0; i < n; ++i) {
      double sum = 0, magnitude = 0;
      for (int r = 0; r < p; ++r) {
        sum += static_cast<double>(static_cast<float>(value(r, i)));
        magnitude += std::abs(value(r, i));
      }
      EXPECT_NEAR(results[0][static_cast<size_t>(i)], sum, p * 6e-8 * magnitude + 1e-30)
          << "n " << n << " element " << i;
    }
    for (const auto& other : results) EXPECT_EQ(other, results[0]) << "n " << n;
  }
}

TEST_P(Ranks, AllReduceSendsWhatTheRingSends) {
  int p = GetParam();
  int64_t n = 12 * p;
  run_ranks(p, [&](Transport& transport) {
    Communicator ranks(transport);
    Tensor x = rank_values(ranks.rank(), n, DType::f64);
    ranks.all_reduce(x);
    EXPECT_EQ(ranks.traffic().messages, static_cast<uint64_t>(2 * (p - 1)));
    EXPECT_EQ(ranks.traffic().bytes,
              static_cast<uint64_t>(2 * (p - 1)) * static_cast<uint64_t>(n) * 8 / static_cast<uint64_t>(p));
  });
}

TEST_P(Ranks, BroadcastFromEveryRoot) {
  int p = GetParam();
  for (int root = 0; root < p; ++root) {
    std::atomic<uint64_t> messages = 0;
    run_ranks(p, [&](Transport& transport) {
      Communicator ranks(transport);
      Tensor x = rank_values(ranks.rank(), 17, DType::f64);
      ranks.broadcast(x, root);
      EXPECT_EQ(x.to_vector<double>(), rank_values(root, 17, DType::f64).to_vector<double>());
      messages += ranks.traffic().messages;
    });
    EXPECT_EQ(messages, static_cast<uint64_t>(p - 1));
  }
}

TEST_P(Ranks, NobodyLeavesABarrierBeforeAllEntered) {
  int p = GetParam();
  std::atomic<int> entered = 0;
  run_ranks(p, [&](Transport& transport) {
    Communicator ranks(transport);
    for (int round = 1; round <= 20; ++round) {
      ++entered;
      ranks.barrier();
      EXPECT_GE(entered.load(), round * p);
      ranks.barrier();
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Collectives, Ranks, testing::Values(1, 2, 3, 5, 8));

std::string failure_of(int ranks, const std::function<void(Transport&)>& body) {
  try {
    run_ranks(ranks, body);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(CollectiveFaults, ARankThatNeverComesIsNamedWithOperationAndShape) {
  std::string what = failure_of(2, [](Transport& transport) {
    Communicator ranks(transport, std::chrono::milliseconds(50));
    Tensor x = Tensor::ones({4});
    if (ranks.rank() == 0) ranks.all_reduce(x);
  });
  EXPECT_NE(what.find("all_reduce of f32 (4) cpu"), std::string::npos) << what;
  EXPECT_NE(what.find("rank 0 waited too long for rank 1"), std::string::npos) << what;
}

TEST(CollectiveFaults, DifferentShapesAreFoundOut) {
  std::string what = failure_of(2, [](Transport& transport) {
    Communicator ranks(transport);
    Tensor x = Tensor::ones({ranks.rank() == 0 ? 4 : 8});
    ranks.all_reduce(x);
  });
  EXPECT_NE(what.find("all ranks must make the same calls with the same shapes"), std::string::npos) << what;
}

TEST(CollectiveFaults, AFailureElsewhereEndsTheWaitOfAll) {
  std::string what = failure_of(3, [](Transport& transport) {
    Communicator ranks(transport);
    if (ranks.rank() == 1) throw Error("the disk is full");
    ranks.barrier();
  });
  EXPECT_NE(what.find("the disk is full"), std::string::npos) << what;
}

}  // namespace
}  // namespace iskra::dist
