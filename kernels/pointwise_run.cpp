#include <iskra/kernels/pointwise_run.h>

#include <algorithm>

#include <iskra/kernels/parallel.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece: some microseconds of work
constexpr int64_t kBlock = 512;    // elements of a block in conversion: four buffers stay in the first cache
constexpr int kOut = PointwiseRun::kOut;

/// A loop whose operands pass through the computing type.
class Staged {
 public:
  Staged(PointwiseLoop body, DType compute, const DType (&inputs)[3], DType out) : body_(body) {
    for (int i = 0; i < 3; ++i) {
      bytes_[i] = static_cast<int64_t>(size_of(inputs[i]));
      load_[i] = inputs[i] == compute ? nullptr : convert_loop(inputs[i], compute);
    }
    bytes_[kOut] = static_cast<int64_t>(size_of(out));
    store_ = out == compute ? nullptr : convert_loop(compute, out);
  }

  void operator()(const PointwiseRun& run) const {
    for (int64_t row = 0; row < run.outer; ++row)
      for (int64_t begin = 0; begin < run.inner; begin += kBlock)
        block(run, row, begin, std::min(kBlock, run.inner - begin));
  }

 private:
  void block(const PointwiseRun& run, int64_t row, int64_t begin, int64_t count) const {
    alignas(64) double buffer[4][kBlock];
    PointwiseRun at{};
    at.inner = count;
    at.outer = 1;
    for (int i = 0; i < 3; ++i) {
      const int64_t stride = run.inner_stride[i];
      const void* in =
          static_cast<const char*>(run.in[i]) + (row * run.outer_stride[i] + begin * stride) * bytes_[i];
      at.in[i] = load_[i] == nullptr ? in : buffer[i];
      at.inner_stride[i] = load_[i] == nullptr || stride == 0 ? stride : 1;
      if (load_[i] != nullptr) convert(load_[i], in, stride, buffer[i], 1, stride == 0 ? 1 : count);
    }
    const int64_t stride = run.inner_stride[kOut];
    void* out = static_cast<char*>(run.out) + (row * run.outer_stride[kOut] + begin * stride) * bytes_[kOut];
    at.out = store_ == nullptr ? out : buffer[kOut];
    at.inner_stride[kOut] = store_ == nullptr ? stride : 1;
    body_(at);
    if (store_ != nullptr) convert(store_, buffer[kOut], 1, out, stride, count);
  }

  static void convert(PointwiseLoop loop, const void* from, int64_t from_stride, void* to, int64_t to_stride,
                      int64_t count) {
    PointwiseRun run{};
    run.in[0] = from;
    run.out = to;
    run.inner_stride[0] = from_stride;
    run.inner_stride[kOut] = to_stride;
    run.inner = count;
    run.outer = 1;
    loop(run);
  }

  PointwiseLoop body_, load_[3], store_;
  int64_t bytes_[4];
};

}  // namespace

DType compute_dtype(std::initializer_list<DType> dtypes) {
  const bool wide = std::any_of(dtypes.begin(), dtypes.end(), [](DType d) { return d == DType::f64; });
  return wide ? DType::f64 : DType::f32;
}

void run_pointwise(const Cpu& on, const PointwiseLoop (&loops)[2], std::initializer_list<const View*> inputs,
                   const MutView& out) {
  // The loops take three inputs; an operand that is missing is the first one that is there, standing still.
  const View* in[3] = {};
  std::copy(inputs.begin(), inputs.end(), in);
  const View* stand_in = nullptr;
  for (const View* x : in)
    if (stand_in == nullptr && x != nullptr && x->defined()) stand_in = x;
  if (stand_in == nullptr) return;  // there are no elements
  const Shape zero = Shape::filled(out.rank(), 0);
  const Shape* stride[3];
  DType dtype[3];
  DType compute = compute_dtype({out.dtype});
  for (int i = 0; i < 3; ++i) {
    const bool there = in[i] != nullptr && in[i]->defined();
    stride[i] = there ? &in[i]->stride : &zero;
    if (!there) in[i] = stand_in;
    dtype[i] = in[i]->dtype;
    compute = compute_dtype({compute, dtype[i]});
  }
  const StridedLoop loop(out.shape, {stride[0], stride[1], stride[2], &out.stride});

  PointwiseRun base{};
  for (int o = 0; o < StridedLoop::kMaxOperands; ++o) {
    base.inner_stride[o] = loop.inner_stride(o);
    base.outer_stride[o] = loop.outer_stride(o);
  }
  const PointwiseLoop body = loops[compute == DType::f64 ? 1 : 0];
  const bool direct =
      std::all_of(dtype, dtype + 3, [&](DType d) { return d == compute; }) && out.dtype == compute;
  const Staged staged(body, compute, dtype, out.dtype);
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      PointwiseRun run = base;
      for (int i = 0; i < 3; ++i)
        run.in[i] = in[i]->as<char>() + at.offset[i] * static_cast<int64_t>(size_of(dtype[i]));
      run.out = out.as<char>() + at.offset[kOut] * static_cast<int64_t>(size_of(out.dtype));
      run.inner = at.inner;
      run.outer = at.outer;
      direct ? body(run) : staged(run);
    });
  });
}

}  // namespace iskra::kernels
