// Loops of dropout. Compiled once per ISA level: raw pointers only.
#include <iskra/kernels/dropout.isa.h>
#include <iskra/kernels/random_words.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

constexpr int64_t kBlock = 256;  // elements that are drawn at a time
constexpr int64_t kRows = DropoutTable::kRows, kCols = DropoutTable::kCols;

template <class S>
void run(const DropoutTile& at, const void* x_, void* y_) {
  using T = Computed<S>;
  const S* x = static_cast<const S*>(x_);
  S* y = static_cast<S*>(y_);
  const T scale = static_cast<T>(at.scale);
  const uint32_t threshold = at.threshold;
  uint32_t words[kBlock + 8];
  for (int64_t begin = 0; begin < at.cols; begin += kBlock) {
    const int64_t count = at.cols - begin < kBlock ? at.cols - begin : kBlock;
    const uint64_t index = static_cast<uint64_t>(at.index + begin);
    const int64_t skip = static_cast<int64_t>(index % 4);
    draw_blocks(at, index / 4, (skip + count + 3) / 4, words);
    const uint32_t* word = words + skip;
#pragma omp simd
    for (int64_t i = 0; i < count; ++i)
      store((word[i] >> 8) >= threshold ? load(x[begin + i]) * scale : T(0), y[begin + i]);
  }
}

// Each column draws its stretch of words, which are then turned to lie as the elements do.
template <class S>
void tile(const DropoutTile& at, const void* x_, void* y_) {
  using T = Computed<S>;
  uint32_t words[kRows + 8], turned[kRows * kCols];
  for (int64_t c = 0; c < at.cols; ++c) {
    const uint64_t index = static_cast<uint64_t>(at.index + c * at.index_stride);
    const int64_t skip = static_cast<int64_t>(index % 4);
    draw_blocks(at, index / 4, (skip + at.rows + 3) / 4, words);
    for (int64_t r = 0; r < at.rows; ++r) turned[r * kCols + c] = words[skip + r];
  }
  const T scale = static_cast<T>(at.scale);
  const uint32_t threshold = at.threshold;
  for (int64_t r = 0; r < at.rows; ++r) {
    const uint32_t* word = turned + r * kCols;
    const S* x = static_cast<const S*>(x_) + r * at.row_stride;
    S* y = static_cast<S*>(y_) + r * at.row_stride;
#pragma omp simd
    for (int64_t c = 0; c < at.cols; ++c)
      store((word[c] >> 8) >= threshold ? load(x[c]) * scale : T(0), y[c]);
  }
}

}  // namespace

extern const DropoutTable dropout_table = {{run<float>, run<double>, run<bf16>, run<f16>},
                                           {tile<float>, tile<double>, tile<bf16>, tile<f16>}};

}  // namespace iskra::kernels::ISKRA_ISA
