// Dropout. The number of an element depends on its logical (row-major) index alone, whatever the memory
// layout: where neighbours in memory are not neighbours in index, tiles are drawn along the index and applied
// along memory.
#include <cmath>

#include <iskra/kernels/dropout.isa.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/philox.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

const DropoutTable& table() {
  static const DropoutTable& chosen = by_isa(v2::dropout_table, v3::dropout_table, v4::dropout_table);
  return chosen;
}

constexpr int64_t kGrain = 16384;       // elements of a piece
constexpr int kIndex = 0, kMemory = 1;  // operands of the walk

/// The axis along which the logical index counts on by one; -1 when there is none.
int counting_axis(const StridedLoop& loop) {
  for (int i = 0; i < loop.rank; ++i)
    if (loop.size[i] > 1 && loop.stride[kIndex][i] == 1) return i;
  return loop.numel <= 1 ? 0 : -1;
}

void along_memory(const Cpu& on, const DropoutTile& base, const StridedLoop& loop, int type, const View& x,
                  const MutView& y) {
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& run) {
      for (int64_t row = 0; row < run.outer; ++row) {
        DropoutTile tile = base;
        tile.index += run.offset[kIndex] + row * loop.outer_stride(kIndex);
        tile.cols = run.inner;
        const int64_t offset = run.offset[kMemory] + row * loop.outer_stride(kMemory);
        table().run[type](tile, at(x, offset), at(y, offset));
      }
    });
  });
}

void in_tiles(const Cpu& on, const DropoutTile& base, const StridedLoop& loop, int counting, int type,
              const View& x, const MutView& y) {
  constexpr int64_t kRows = DropoutTable::kRows, kCols = DropoutTable::kCols;
  const int64_t cols = loop.size[0], rows = loop.size[counting];
  const int64_t bands = (rows + kRows - 1) / kRows;  // of each matrix of rows and columns
  const int64_t grain = std::max<int64_t>(1, kGrain / (cols * kRows));
  auto band = [&](int64_t number) {
    int64_t matrix = number / bands, index = 0, memory = 0;
    for (int i = 1; i < loop.rank; ++i) {
      if (i == counting) continue;
      index += matrix % loop.size[i] * loop.stride[kIndex][i];
      memory += matrix % loop.size[i] * loop.stride[kMemory][i];
      matrix /= loop.size[i];
    }
    const int64_t first = number % bands * kRows;
    for (int64_t c = 0; c < cols; c += kCols) {
      DropoutTile tile = base;
      tile.index += index + first + c * loop.stride[kIndex][0];
      tile.index_stride = loop.stride[kIndex][0];
      tile.row_stride = loop.stride[kMemory][counting];
      tile.rows = std::min(kRows, rows - first);
      tile.cols = std::min(kCols, cols - c);
      const int64_t offset = memory + first * tile.row_stride + c;
      table().tile[type](tile, at(x, offset), at(y, offset));
    }
  };
  parallel_for(on, loop.numel / (rows * cols) * bands, grain, [&](int64_t begin, int64_t end) {
    for (int64_t number = begin; number < end; ++number) band(number);
  });
}

}  // namespace

void dropout(Cpu on, View x, float p, RngKey key, MutView y) {
  ISKRA_CHECK(p >= 0.0F && p <= 1.0F, "dropout: the probability is ", p, "; it must lie in [0, 1]");
  const int type = floating_type_index(x.dtype, "dropout");
  const Shape logical = contiguous_strides(y.shape);
  const StridedLoop loop(y.shape, {&logical, &y.stride});
  if (loop.numel == 0) return;
  const int counting = counting_axis(loop);
  ISKRA_CHECK(counting >= 0 && (loop.numel == 1 || loop.inner_stride(kMemory) == 1),
              "dropout: a tensor of shape ", y.shape, " with strides ", y.stride,
              " is not dense; make it contiguous first");
  DropoutTile base;
  base.key = philox_key(key.seed, key.place);
  base.step = key.step != nullptr ? static_cast<uint64_t>(*key.step) : 0;
  base.index = key.first;
  // uniform >= p, compared as integers: uniform is a multiple of 2^-24, and p * 2^24 is exact.
  base.threshold = static_cast<uint32_t>(std::ceil(static_cast<double>(p) * 0x1p24));
  base.scale = p < 1.0F ? 1.0 / (1.0 - static_cast<double>(p)) : 0.0;
  if (counting == 0)
    along_memory(on, base, loop, type, x, y);
  else
    in_tiles(on, base, loop, counting, type, x, y);
}

}  // namespace iskra::kernels
