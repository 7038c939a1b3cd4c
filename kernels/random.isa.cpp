// Loops of random numbers. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/philox.h>
#include <iskra/kernels/random.isa.h>
#include <iskra/kernels/random_words.h>
#include <iskra/kernels/vector_math.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

constexpr int64_t kBlock = 256;  // elements that are drawn at a time

inline uint32_t select(const PhiloxBlock& block, uint64_t i) {
  uint32_t low = (i & 1U) != 0 ? block.word[1] : block.word[0];
  uint32_t high = (i & 1U) != 0 ? block.word[3] : block.word[2];
  return (i & 2U) != 0 ? high : low;
}

// Calls f(begin, count, word): word[i] belongs to element begin + i.
template <class F>
inline void for_words(const RandomRun& run, F f) {
  uint32_t words[kBlock + 8];
  for (int64_t begin = 0; begin < run.n; begin += kBlock) {
    int64_t count = run.n - begin < kBlock ? run.n - begin : kBlock;
    uint64_t index = static_cast<uint64_t>(run.index + begin * run.index_stride);
    if (run.index_stride == 1) {
      int64_t skip = static_cast<int64_t>(index % 4);
      draw_blocks(run, index / 4, (skip + count + 3) / 4, words);
      f(begin, count, words + skip);
    } else {
      // No simd pragma: it lets a compiler share select()'s array between lanes (clang 19 with
      // -fsanitize=thread did).
      uint64_t stride = static_cast<uint64_t>(run.index_stride);
      for (int64_t i = 0; i < count; ++i) {
        uint64_t at = index + static_cast<uint64_t>(i) * stride;
        words[i] = select(philox(at / 4, run.step, run.key), at % 4);
      }
      f(begin, count, words);
    }
  }
}

template <class T>
void uniform(const RandomRun& run, double low_, double high_, void* y_) {
  T* y = static_cast<T*>(y_);
  T low = static_cast<T>(low_), high = static_cast<T>(high_);
  for_words(run, [=](int64_t begin, int64_t count, const uint32_t* word) {
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) {
      T value = low + (high - low) * static_cast<T>(uniform_of(word[i]));
      y[begin + i] = value < high ? value : low;  // rounding may reach high
    }
  });
}

// sin(pi/2 * s) for s in [-2, 2).
inline float sin_half_turns(float s) {
  float folded = __builtin_copysignf(2.0F, s) - s;
  return math::sin_quarter(__builtin_fabsf(s) > 1.0F ? folded : s);
}

// Box and Muller 1958: two words make two independent normal numbers.
struct NormalPair {
  float first, second;
};
inline NormalPair box_muller(uint32_t a, uint32_t b) {
  float u = static_cast<float>((a >> 8) + 1U) * 0x1p-24F;  // in (0, 1]
  float radius = math::sqrt(-2.0F * math::log(u));
  float s = 4.0F * uniform_of(b) - 2.0F;  // half turns, minus a half
  float quarter_on = s + 1.0F >= 2.0F ? s - 3.0F : s + 1.0F;
  return {-radius * sin_half_turns(quarter_on), -radius * sin_half_turns(s)};
}

// The normal number of one element, from the block that it shares with its three neighbours.
inline float normal_of(const RandomRun& run, uint64_t index) {
  PhiloxBlock block = philox(index / 4, run.step, run.key);
  bool upper = (index & 2U) != 0;
  NormalPair pair = box_muller(upper ? block.word[2] : block.word[0], upper ? block.word[3] : block.word[1]);
  return (index & 1U) != 0 ? pair.second : pair.first;
}

// Further tries of an element whose first number fell outside: blocks of its own, kept apart from all first
// blocks by bits in the topmost counter word. Zero after 2^15 - 1 blocks without success.
inline float redraw(const RandomRun& run, uint64_t index, float cut) {
  for (uint64_t attempt = 1; attempt < 0x8000U; ++attempt) {
    PhiloxBlock block = philox(index, run.step ^ (attempt << 48), run.key);
    for (int pair = 0; pair < 4; pair += 2) {
      NormalPair z = box_muller(block.word[pair], block.word[pair + 1]);
      if (__builtin_fabsf(z.first) <= cut) return z.first;
      if (__builtin_fabsf(z.second) <= cut) return z.second;
    }
  }
  return 0.0F;
}

template <class T>
void normal(const RandomRun& run, double mean_, double std_, double cut_, void* y_) {
  T* y = static_cast<T*>(y_);
  T mean = static_cast<T>(mean_), std = static_cast<T>(std_);
  float cut = static_cast<float>(cut_);
  uint32_t words[kBlock + 8];
  float z[kBlock + 8];
  for (int64_t begin = 0; begin < run.n; begin += kBlock) {
    int64_t count = run.n - begin < kBlock ? run.n - begin : kBlock, skip = 0;
    uint64_t index = static_cast<uint64_t>(run.index + begin * run.index_stride);
    uint64_t stride = static_cast<uint64_t>(run.index_stride);
    if (stride == 1) {
      skip = static_cast<int64_t>(index % 4);
      int64_t blocks = (skip + count + 3) / 4;
      draw_blocks(run, index / 4, blocks, words);
#pragma omp simd
      for (int64_t i = 0; i < 2 * blocks; ++i) {
        NormalPair pair = box_muller(words[2 * i], words[2 * i + 1]);
        z[2 * i] = pair.first;
        z[2 * i + 1] = pair.second;
      }
    } else {
      for (int64_t i = 0; i < count; ++i) z[i] = normal_of(run, index + static_cast<uint64_t>(i) * stride);
    }
    if (cut > 0.0F) {
      for (int64_t i = 0; i < count; ++i)
        if (__builtin_fabsf(z[skip + i]) > cut)
          z[skip + i] = redraw(run, index + static_cast<uint64_t>(i) * stride, cut);
    }
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[begin + i] = mean + std * static_cast<T>(z[skip + i]);
  }
}

}  // namespace

extern const RandomTable random_table = {{uniform<float>, uniform<double>}, {normal<float>, normal<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
