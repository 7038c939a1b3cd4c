// Philox 4x32-10, the counter-based random number generator of Salmon, Moraes, Dror and Shaw, "Parallel
// random numbers: as easy as 1, 2, 3" (SC'11): a block of four words is a pure function of a 128-bit counter
// and a 64-bit key.
#pragma once

#include <cstdint>

#include <iskra/kernels/host_device.h>

namespace iskra::kernels {

struct PhiloxBlock {
  uint32_t word[4];
};

namespace {

ISKRA_HD inline PhiloxBlock philox(PhiloxBlock counter, uint32_t key0, uint32_t key1) {
  uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  for (int round = 0; round < 10; ++round) {
    uint64_t p0 = uint64_t{0xD2511F53U} * c0, p1 = uint64_t{0xCD9E8D57U} * c2;
    uint32_t n0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ key0,
             n2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ key1;
    c0 = n0;
    c1 = static_cast<uint32_t>(p1);
    c2 = n2;
    c3 = static_cast<uint32_t>(p0);
    key0 += 0x9E3779B9U;
    key1 += 0xBB67AE85U;
  }
  return {{c0, c1, c2, c3}};
}

ISKRA_HD inline PhiloxBlock philox(uint64_t counter_low, uint64_t counter_high, uint64_t key) {
  return philox({{static_cast<uint32_t>(counter_low), static_cast<uint32_t>(counter_low >> 32),
                  static_cast<uint32_t>(counter_high), static_cast<uint32_t>(counter_high >> 32)}},
                static_cast<uint32_t>(key), static_cast<uint32_t>(key >> 32));
}

/// A bijection of 64 bits in which every input bit moves every output bit (the finaliser of SplitMix64,
/// Steele, Lea and Flood 2014).
ISKRA_HD inline uint64_t mix_bits(uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

/// The 64-bit key of a seed and a place.
ISKRA_HD inline uint64_t philox_key(uint64_t seed, uint64_t place) {
  return mix_bits(mix_bits(seed) ^ place);
}

/// 24 bits of a word as a number in [0, 1).
ISKRA_HD inline float uniform_of(uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24F; }

}  // namespace

/// Successive random numbers on the host, for whoever draws a varying count of them (data augmentation): the
/// stream is a pure function of (seed, a, b), e.g. (seed, epoch, sample).
class PhiloxStream {
 public:
  PhiloxStream(uint64_t seed, uint64_t a, uint64_t b);
  uint32_t next();
  /// In [0, 1), a multiple of 2^-24.
  float uniform();
  /// In [low, high).
  float uniform(float low, float high);
  /// In [0, n), every value equally likely; n >= 1.
  int64_t below(int64_t n);

 private:
  uint64_t key_, high_, low_ = 0;
  PhiloxBlock block_{};
  int used_ = 4;
};

}  // namespace iskra::kernels
