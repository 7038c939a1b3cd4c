// Copies, conversions, accumulation and fills.
#include <cstring>

#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/memory.isa.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/pointwise_run.h>
#include <iskra/kernels/runs.isa.h>
#include <iskra/kernels/scratch.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 32768;
constexpr int64_t kSmallRow = 128;  // bytes, up to which a loop of our own beats calls of memcpy

const MemoryTable& table() {
  static const MemoryTable& chosen = by_isa(v2::memory_table, v3::memory_table, v4::memory_table);
  return chosen;
}

int log2_bytes(DType dtype) {
  switch (size_of(dtype)) {
    case 1:
      return 0;
    case 2:
      return 1;
    case 4:
      return 2;
    default:
      return 3;
  }
}

// Operand 0 is x, operand 1 is y.
void run_loop(const Cpu& on, const StridedLoop& loop, PointwiseLoop body, const View& x, const MutView& y) {
  const int64_t x_bytes = static_cast<int64_t>(size_of(x.dtype)),
                y_bytes = static_cast<int64_t>(size_of(y.dtype));
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      PointwiseRun run{};
      run.in[0] = x.as<char>() + at.offset[0] * x_bytes;
      run.out = y.as<char>() + at.offset[1] * y_bytes;
      run.inner_stride[0] = loop.inner_stride(0);
      run.outer_stride[0] = loop.outer_stride(0);
      run.inner_stride[PointwiseRun::kOut] = loop.inner_stride(1);
      run.outer_stride[PointwiseRun::kOut] = loop.outer_stride(1);
      run.inner = at.inner;
      run.outer = at.outer;
      body(run);
    });
  });
}

// Same type, both sides walk memory alike: whole runs of bytes.
void copy_runs(const Cpu& on, const StridedLoop& loop, const View& x, const MutView& y) {
  const int64_t bytes = static_cast<int64_t>(size_of(x.dtype));
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      const char* from = x.as<char>() + at.offset[0] * bytes;
      char* to = y.as<char>() + at.offset[1] * bytes;
      if (at.inner * bytes <= kSmallRow) {
        run_loops().small_rows(from, loop.outer_stride(0) * bytes, to, loop.outer_stride(1) * bytes, at.outer,
                               at.inner * bytes);
        return;
      }
      for (int64_t row = 0; row < at.outer; ++row)
        std::memcpy(to + row * loop.outer_stride(1) * bytes, from + row * loop.outer_stride(0) * bytes,
                    static_cast<size_t>(at.inner * bytes));
    });
  });
}

// Same type, y walks memory forwards and x backwards.
void copy_reversed(const Cpu& on, const StridedLoop& loop, const View& x, const MutView& y) {
  const int64_t bytes = static_cast<int64_t>(size_of(x.dtype));
  const auto reverse = run_loops().reverse[log2_bytes(x.dtype)];
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      const char* last = x.as<char>() + (at.offset[0] - (at.inner - 1)) * bytes;
      char* to = y.as<char>() + at.offset[1] * bytes;
      for (int64_t row = 0; row < at.outer; ++row)
        reverse(last + row * loop.outer_stride(0) * bytes, at.inner, to + row * loop.outer_stride(1) * bytes);
    });
  });
}

// The axis along which x lies densely while y does so along axis 0: the two make a matrix to transpose. -1:
// none.
int transposed_axis(const StridedLoop& loop) {
  if (loop.inner_stride(1) != 1 || loop.inner_stride(0) == 0 || loop.size[0] < 4) return -1;
  for (int axis = 1; axis < loop.rank; ++axis)
    if (loop.stride[0][axis] == 1 && loop.size[axis] >= 4) return axis;
  return -1;
}

void copy_transposed(const Cpu& on, const StridedLoop& loop, int axis, const View& x, const MutView& y) {
  const int64_t bytes = static_cast<int64_t>(size_of(x.dtype));
  const int64_t cols = loop.size[0], rows = loop.size[axis];
  // Work items: strips of kStrip rows of every matrix.
  constexpr int64_t kStrip = 64;
  const int64_t strips = (rows + kStrip - 1) / kStrip, matrices = loop.numel / (cols * rows);
  auto transpose = table().transpose[log2_bytes(x.dtype)];
  const int64_t grain = std::max<int64_t>(1, kGrain / (cols * std::min(rows, kStrip)));
  parallel_for(on, matrices * strips, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      int64_t row = item % strips * kStrip, rest = item / strips;
      int64_t from = row * loop.stride[0][axis], to = row * loop.stride[1][axis];
      for (int i = 1; i < loop.rank; ++i) {
        if (i == axis) continue;
        from += rest % loop.size[i] * loop.stride[0][i];
        to += rest % loop.size[i] * loop.stride[1][i];
        rest /= loop.size[i];
      }
      transpose(x.as<char>() + from * bytes, loop.stride[0][0], y.as<char>() + to * bytes,
                loop.stride[1][axis], std::min(kStrip, rows - row), cols);
    }
  });
}

}  // namespace

const RunTable& run_loops() {
  static const RunTable& chosen = by_isa(v2::run_table, v3::run_table, v4::run_table);
  return chosen;
}

PointwiseLoop convert_loop(DType from, DType to) {
  return table().convert[static_cast<int>(from)][static_cast<int>(to)];
}

void copy(Cpu on, View x, MutView y) {
  StridedLoop loop(y.shape, {&x.stride, &y.stride});
  if (loop.numel == 0) return;
  if (x.dtype == y.dtype) {
    if (loop.inner_stride(0) == 1 && loop.inner_stride(1) == 1) return copy_runs(on, loop, x, y);
    if (loop.inner_stride(0) == -1 && loop.inner_stride(1) == 1 && loop.size[0] >= 4)
      return copy_reversed(on, loop, x, y);
    int axis = transposed_axis(loop);
    if (axis > 0) return copy_transposed(on, loop, axis, x, y);
    return run_loop(on, loop, table().fill[log2_bytes(x.dtype)], x, y);
  }
  run_loop(on, loop, table().convert[static_cast<int>(x.dtype)][static_cast<int>(y.dtype)], x, y);
}

void add_into(Cpu on, View x, MutView y, float beta) {
  ISKRA_CHECK(beta == 0.0F || beta == 1.0F, "add_into: beta is ", beta,
              "; only 0 (overwrite) and 1 (add) exist");
  if (beta == 0.0F) return copy(on, x, y);
  PointwiseLoop body = table().add[static_cast<int>(y.dtype)];
  ISKRA_CHECK(x.dtype == y.dtype && body != nullptr, "add_into: adds ", name_of(x.dtype), " into ",
              name_of(y.dtype), "; both must be of the same floating type");
  run_loop(on, StridedLoop(y.shape, {&x.stride, &y.stride}), body, x, y);
}

void fill(Cpu on, MutView y, double value) {
  alignas(8) unsigned char element[8];
  const Shape one = Shape::filled(y.rank(), 1), zero = Shape::filled(y.rank(), 0);
  copy(Cpu{}, View{&value, DType::f64, one, zero}, MutView{element, y.dtype, one, zero});
  run_loop(on, StridedLoop(y.shape, {&zero, &y.stride}), table().fill[log2_bytes(y.dtype)],
           View{element, y.dtype, y.shape, zero}, y);
}

void normalize_images(Cpu on, View x, const float* mean, const float* std, MutView y) {
  auto body = table().normalize[static_cast<int>(y.dtype)];
  ISKRA_CHECK(x.dtype == DType::u8 && body != nullptr, "normalize_images: ", name_of(x.dtype), " to ",
              name_of(y.dtype), "; takes u8 and gives a floating type");
  const int64_t channels = x.shape[3], pixels = x.numel() / std::max<int64_t>(channels, 1);
  if (x.numel() == 0) return;
  // Mean and deviation repeated for kBlock pixels, so that the loop over a block is flat and vectorises.
  constexpr int64_t kBlock = 64;
  const int64_t period = kBlock * channels;
  float* means = scratch_of(on, "normalize_images").of<float>(2 * period);
  float* deviations = means + period;
  for (int64_t i = 0; i < period; ++i) {
    means[i] = mean[i % channels];
    deviations[i] = std[i % channels];
  }
  const int64_t bytes = static_cast<int64_t>(size_of(y.dtype));
  parallel_for(on, pixels, kBlock * std::max<int64_t>(1, kGrain / period), [&](int64_t begin, int64_t end) {
    const int64_t whole = (end - begin) / kBlock * period, all = (end - begin) * channels;
    const uint8_t* from = x.as<uint8_t>() + begin * channels;
    char* to = y.as<char>() + begin * channels * bytes;
    body(from, means, deviations, period, to, whole);
    if (all > whole) body(from + whole, means, deviations, all - whole, to + whole * bytes, all - whole);
  });
}

}  // namespace iskra::kernels
