// Random choices about samples: functions of (seed, what for, epoch, sample) alone.
#pragma once

#include <cstdint>
#include <vector>

#include <iskra/kernels/philox.h>

namespace iskra::zoo {

/// What a stream of random numbers is for; streams of different uses are independent.
enum class RandomUse : uint64_t { order = 1, augment = 2, subset = 3 };

kernels::PhiloxStream sample_stream(uint64_t seed, RandomUse use, int64_t epoch, int64_t sample);

/// A permutation of 0 … n-1: the samples sorted by a random 64-bit key of each, so that it needs no walk
/// through the numbers of the others.
std::vector<int64_t> random_order(int64_t n, uint64_t seed, RandomUse use, int64_t epoch);

}  // namespace iskra::zoo
