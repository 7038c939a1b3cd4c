// From Philox's words to uniform and normal numbers; the same on both devices.
#pragma once

#include <cstdint>

#include <iskra/kernels/half.h>
#include <iskra/kernels/philox.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels {
namespace {

// The word of an element, of the block that it shares with three others.
ISKRA_HD inline uint32_t word_of(const PhiloxBlock& block, uint64_t i) {
  uint32_t low = (i & 1U) != 0 ? block.word[1] : block.word[0];
  uint32_t high = (i & 1U) != 0 ? block.word[3] : block.word[2];
  return (i & 2U) != 0 ? high : low;
}

// A number of [0, 1) to [low, high).
template <class T>
ISKRA_HD inline T uniform_between(float unit, T low, T high) {
  T value = low + (high - low) * static_cast<T>(unit);
  return value < high ? value : low;  // rounding may reach high
}

// With as many bits as a 16-bit type holds below 1, so that none is rounded up to the end of the range more
// often than the others.
template <class S>
ISKRA_HD inline float short_unit(float unit) {
  constexpr float kSteps = dtype_of<S> == DType::bf16 ? 0x1p8F : 0x1p11F;
  return static_cast<float>(static_cast<int32_t>(unit * kSteps)) / kSteps;
}

// sin(pi/2 * s) for s in [-2, 2).
ISKRA_HD inline float sin_half_turns(float s) {
  float folded = __builtin_copysignf(2.0F, s) - s;
  return math::sin_quarter(__builtin_fabsf(s) > 1.0F ? folded : s);
}

// Box and Muller 1958: two words make two independent normal numbers.
struct NormalPair {
  float first, second;
};
ISKRA_HD inline NormalPair box_muller(uint32_t a, uint32_t b) {
  float u = static_cast<float>((a >> 8) + 1U) * 0x1p-24F;  // in (0, 1]
  float radius = math::sqrt(-2.0F * math::log(u));
  float s = 4.0F * uniform_of(b) - 2.0F;  // half turns, minus a half
  float quarter_on = s + 1.0F >= 2.0F ? s - 3.0F : s + 1.0F;
  return {-radius * sin_half_turns(quarter_on), -radius * sin_half_turns(s)};
}

// The normal number of one element, from the block that it shares with its three neighbours.
ISKRA_HD inline float normal_in(const PhiloxBlock& block, uint64_t index) {
  bool upper = (index & 2U) != 0;
  NormalPair pair = box_muller(upper ? block.word[2] : block.word[0], upper ? block.word[3] : block.word[1]);
  return (index & 1U) != 0 ? pair.second : pair.first;
}

// Further tries of an element whose first number fell outside: blocks of its own, kept apart from all first
// blocks by bits in the topmost counter word. Zero after 2^15 - 1 blocks without success.
ISKRA_HD inline float redraw(uint64_t key, uint64_t step, uint64_t index, float cut) {
  for (uint64_t attempt = 1; attempt < 0x8000U; ++attempt) {
    PhiloxBlock block = philox(index, step ^ (attempt << 48), key);
    for (int pair = 0; pair < 4; pair += 2) {
      NormalPair z = box_muller(block.word[pair], block.word[pair + 1]);
      if (__builtin_fabsf(z.first) <= cut) return z.first;
      if (__builtin_fabsf(z.second) <= cut) return z.second;
    }
  }
  return 0.0F;
}

// 64 bits of an element that has half a block: two words, the upper one second.
ISKRA_HD inline uint64_t bits_of_pair(const PhiloxBlock& block, uint64_t index) {
  return index % 2 == 0 ? uint64_t{block.word[1]} << 32 | block.word[0]
                        : uint64_t{block.word[3]} << 32 | block.word[2];
}

// The upper 64 bits of a product: bits * range / 2^64 lies in [0, range).
ISKRA_HD inline uint64_t high_product(uint64_t a, uint64_t b) {
  uint64_t a_low = a & 0xffffffffU, a_high = a >> 32, b_low = b & 0xffffffffU, b_high = b >> 32;
  uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
  uint64_t other = a_low * b_high + (middle & 0xffffffffU);
  return a_high * b_high + (middle >> 32) + (other >> 32);
}

}  // namespace
}  // namespace iskra::kernels
