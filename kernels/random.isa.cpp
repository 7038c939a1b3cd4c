// Loops of random numbers. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/random.isa.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/random_words.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

constexpr int64_t kBlock = 256;  // elements that are drawn at a time

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
      // No simd pragma: it lets a compiler share word_of()'s array between lanes (clang 19 with
      // -fsanitize=thread did).
      uint64_t stride = static_cast<uint64_t>(run.index_stride);
      for (int64_t i = 0; i < count; ++i) {
        uint64_t at = index + static_cast<uint64_t>(i) * stride;
        words[i] = word_of(philox(at / 4, run.step, run.key), at % 4);
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
    for (int64_t i = 0; i < count; ++i) y[begin + i] = uniform_between(uniform_of(word[i]), low, high);
  });
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
      for (int64_t i = 0; i < count; ++i) {
        uint64_t at = index + static_cast<uint64_t>(i) * stride;
        z[i] = normal_in(philox(at / 4, run.step, run.key), at);
      }
    }
    if (cut > 0.0F) {
      for (int64_t i = 0; i < count; ++i)
        if (__builtin_fabsf(z[skip + i]) > cut)
          z[skip + i] = redraw(run.key, run.step, index + static_cast<uint64_t>(i) * stride, cut);
    }
#pragma omp simd
    for (int64_t i = 0; i < count; ++i) y[begin + i] = mean + std * static_cast<T>(z[skip + i]);
  }
}

}  // namespace

extern const RandomTable random_table = {{uniform<float>, uniform<double>}, {normal<float>, normal<double>}};

}  // namespace iskra::kernels::ISKRA_ISA
