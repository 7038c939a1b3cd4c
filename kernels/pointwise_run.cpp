#include <iskra/kernels/pointwise_run.h>

#include <algorithm>

#include <iskra/kernels/check.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece: some microseconds of work
constexpr int64_t kBlock = 512;    // elements of a staged block: four buffers stay in the first cache
constexpr int64_t kShort =
    64;  // shorter runs are gathered, several in a block; staged ones up to half a block
constexpr int kOut = PointwiseRun::kOut;

/// An operand as the walk sees it.
struct Operand {
  char* data = nullptr;  ///< null: not read
  int64_t bytes = 0;     ///< of an element
  int64_t inner = 0, outer = 0;
  PointwiseLoop convert = nullptr;  ///< to the loop's type, and from it for the output
  bool same = false;                ///< it is of the loop's type

  bool read() const { return data != nullptr; }
  /// One value for the whole run.
  bool constant() const { return inner == 0 && outer == 0; }
  /// Whether the body can work on `rows` runs of `cols` elements where they are.
  bool direct(int64_t rows, int64_t cols) const {
    return same && (inner == 1 || cols == 1) && (rows == 1 || outer == cols);
  }
};

/// One run of the walk: `outer` rows of `inner` elements, cut into blocks for the body.
class Blocks {
 public:
  Blocks(PointwiseBody body, const Operand (&operands)[4], const PointwiseParams& params)
      : body_(body), operand_(operands), params_(params) {}

  void operator()(const StridedLoop::Run& run) const {
    alignas(64) double buffer[4][kBlock];
    // A constant is written out once.
    for (int o = 0; o < kOut; ++o)
      if (operand_[o].read() && operand_[o].constant())
        load(operand_[o], run.offset[o], 1, std::min(kBlock, run.inner * run.outer), buffer[o]);
    const bool in_place = std::all_of(
        operand_, operand_ + 4, [&](const Operand& at) { return !at.read() || at.direct(1, run.inner); });
    if (run.inner < (in_place ? kShort : kBlock / 2) && run.outer > 1) {
      const int64_t rows = kBlock / run.inner;
      for (int64_t row = 0; row < run.outer; row += rows)
        block(run, row, std::min(rows, run.outer - row), 0, run.inner, buffer);
      return;
    }
    const int64_t cols = in_place ? run.inner : kBlock;
    for (int64_t row = 0; row < run.outer; ++row)
      for (int64_t col = 0; col < run.inner; col += cols)
        block(run, row, 1, col, std::min(cols, run.inner - col), buffer);
  }

 private:
  void block(const StridedLoop::Run& run, int64_t row, int64_t rows, int64_t col, int64_t cols,
             double (&buffer)[4][kBlock]) const {
    auto offset = [&](int o) { return run.offset[o] + row * operand_[o].outer + col * operand_[o].inner; };
    const Operand& y = operand_[kOut];
    const bool y_direct = y.direct(rows, cols);
    PointwiseBlock at{};
    at.n = rows * cols;
    at.params = params_;
    at.out = y_direct ? static_cast<void*>(y.data + offset(kOut) * y.bytes) : buffer[kOut];
    const void* any = at.out;
    for (int o = 0; o < kOut; ++o) {
      const Operand& x = operand_[o];
      if (!x.read()) continue;
      if (x.constant()) {
        at.in[o] = buffer[o];
      } else if (x.direct(rows, cols)) {
        at.in[o] = x.data + offset(o) * x.bytes;
      } else {
        load(x, offset(o), rows, cols, buffer[o]);
        at.in[o] = buffer[o];
      }
      any = at.in[o];
    }
    // In place of what is not read: memory of the loop's own type, which a result of bool would not be. No
    // result depends on it, but a compiler that does not see so may load from there.
    for (const void*& in : at.in) in = in == nullptr ? any : in;
    body_(at);
    if (!y_direct) store(y, offset(kOut), rows, cols, buffer[kOut]);
  }

  static void load(const Operand& x, int64_t offset, int64_t rows, int64_t cols, double* to) {
    PointwiseRun run{};
    run.in[0] = x.data + offset * x.bytes;
    run.inner_stride[0] = x.inner;
    run.outer_stride[0] = x.outer;
    run.out = to;
    run.inner_stride[kOut] = 1;
    run.outer_stride[kOut] = cols;
    run.inner = cols;
    run.outer = rows;
    x.convert(run);
  }

  static void store(const Operand& y, int64_t offset, int64_t rows, int64_t cols, const double* from) {
    PointwiseRun run{};
    run.in[0] = from;
    run.inner_stride[0] = 1;
    run.outer_stride[0] = cols;
    run.out = y.data + offset * y.bytes;
    run.inner_stride[kOut] = y.inner;
    run.outer_stride[kOut] = y.outer;
    run.inner = cols;
    run.outer = rows;
    y.convert(run);
  }

  PointwiseBody body_;
  const Operand (&operand_)[4];
  const PointwiseParams& params_;
};

/// A loop, and the types of memory that it reads and writes.
struct Choice {
  PointwiseBody body;
  DType in, out;
};

Choice choose(const PointwiseLoops& loops, PointwiseBody integers, const View* const (&in)[3],
              const MutView& out) {
  bool floating = is_floating(out.dtype), wide = out.dtype == DType::f64;
  bool all_f32 = true, all_bf16 = true;
  for (const View* x : in) {
    if (x == nullptr) continue;
    floating = floating || is_floating(x->dtype);
    wide = wide || x->dtype == DType::f64;
    all_f32 = all_f32 && x->dtype == DType::f32;
    all_bf16 = all_bf16 && x->dtype == DType::bf16;
  }
  if (!floating && integers != nullptr) return {integers, DType::i64, DType::i64};
  if (wide) return {loops.f64, DType::f64, DType::f64};
  if (out.dtype == DType::boolean) {
    if (all_f32 && loops.f32_to_bool != nullptr) return {loops.f32_to_bool, DType::f32, DType::boolean};
    if (all_bf16 && loops.bf16_to_bool != nullptr) return {loops.bf16_to_bool, DType::bf16, DType::boolean};
  }
  if (all_bf16 && out.dtype == DType::bf16) return {loops.bf16, DType::bf16, DType::bf16};
  return {loops.f32, DType::f32, DType::f32};
}

}  // namespace

void run_pointwise(const Cpu& on, const PointwiseLoops& loops, PointwiseBody integers,
                   std::initializer_list<const View*> inputs, const MutView& out,
                   const PointwiseParams& params) {
  const View* in[3] = {};
  std::transform(inputs.begin(), inputs.end(), in,
                 [](const View* x) { return x != nullptr && x->defined() ? x : nullptr; });
  const Choice with = choose(loops, integers, in, out);
  const Shape zero = Shape::filled(out.rank(), 0);
  const Shape* stride[3];
  for (int i = 0; i < 3; ++i) stride[i] = in[i] != nullptr ? &in[i]->stride : &zero;
  const StridedLoop loop(out.shape, {stride[0], stride[1], stride[2], &out.stride});
  if (loop.numel == 0) return;
  ISKRA_CHECK(with.body != nullptr, "pointwise: this op has no form in ", name_of(with.in));

  Operand operands[4];
  for (int o = 0; o <= kOut; ++o) {
    Operand& at = operands[o];
    if (o < kOut && in[o] == nullptr) continue;
    const DType dtype = o < kOut ? in[o]->dtype : out.dtype, inner = o < kOut ? with.in : with.out;
    // Reading and writing share the type; inputs are never written to.
    at.data = o < kOut ? const_cast<char*>(in[o]->as<char>()) : out.as<char>();
    at.bytes = static_cast<int64_t>(size_of(dtype));
    at.inner = loop.inner_stride(o);
    at.outer = loop.outer_stride(o);
    at.convert = o < kOut ? convert_loop(dtype, inner) : convert_loop(inner, dtype);
    at.same = dtype == inner;
  }
  const Blocks blocks(with.body, operands, params);
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& run) { blocks(run); });
  });
}

}  // namespace iskra::kernels
