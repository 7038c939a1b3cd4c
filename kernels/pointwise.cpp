// Drivers of pointwise ops: they walk the operands in memory order and hand runs to the loops of the ISA
// level.
#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/pointwise.isa.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/strided.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kGrain = 16384;  // elements of a piece: some microseconds of work

const PointwiseTable& table() {
  static const PointwiseTable& chosen = by_isa(v2::pointwise_table, v3::pointwise_table, v4::pointwise_table);
  return chosen;
}

int type_index(DType dtype, const char* op) {
  ISKRA_CHECK(dtype == DType::f32 || dtype == DType::f64, op, ": elements are ", name_of(dtype),
              "; pointwise ops compute in f32 and f64, convert first");
  return dtype == DType::f32 ? 0 : 1;
}

void run_loop(const Cpu& on, PointwiseLoop body, std::initializer_list<const View*> inputs,
              const MutView& out) {
  // The loops take three inputs and one output; missing inputs repeat the first with stride 0.
  const View* in[3];
  int count = 0;
  for (const View* input : inputs) in[count++] = input;
  const Shape zero = Shape::filled(out.rank(), 0);
  auto stride = [&](int i) { return i < count ? &in[i]->stride : &zero; };
  StridedLoop loop(out.shape, {stride(0), stride(1), stride(2), &out.stride});

  PointwiseRun base{};
  for (int o = 0; o < StridedLoop::kMaxOperands; ++o) {
    base.inner_stride[o] = loop.inner_stride(o);
    base.outer_stride[o] = loop.outer_stride(o);
  }
  const size_t bytes = size_of(out.dtype);
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      PointwiseRun run = base;
      for (int i = 0; i < 3; ++i)
        run.in[i] = in[i < count ? i : 0]->as<char>() + at.offset[i] * static_cast<int64_t>(bytes);
      run.out = out.as<char>() + at.offset[PointwiseRun::kOut] * static_cast<int64_t>(bytes);
      run.inner = at.inner;
      run.outer = at.outer;
      body(run);
    });
  });
}

// An operand that a derivative does not read may be undefined; the gradient stands in for it.
const View& read_or(const View& operand, bool read, const View& stand_in, const char* op) {
  ISKRA_CHECK(!read || operand.defined() || stand_in.numel() == 0, op,
              ": the derivative reads an operand that is undefined");
  return read ? operand : stand_in;
}

}  // namespace

void unary(Cpu on, UnaryOp op, View x, MutView y) {
  run_loop(on, table().unary[static_cast<int>(op)][type_index(x.dtype, name_of(op))], {&x}, y);
}

void unary_backward(Cpu on, UnaryOp op, View x, View y, View dy, MutView dx) {
  BackwardReads reads = backward_reads(op);
  const View& x_or = read_or(x, reads.first, dy, name_of(op));
  const View& y_or = read_or(y, reads.second, dy, name_of(op));
  int type = type_index(dy.dtype, name_of(op));
  run_loop(on, table().unary_backward[static_cast<int>(op)][type], {&x_or, &y_or, &dy}, dx);
}

void binary(Cpu on, BinaryOp op, View a, View b, MutView y) {
  run_loop(on, table().binary[static_cast<int>(op)][type_index(y.dtype, name_of(op))], {&a, &b}, y);
}

void binary_backward(Cpu on, BinaryOp op, View a, View b, View dy, MutView da, MutView db) {
  BackwardReads reads = backward_reads(op);
  const View& a_or = read_or(a, reads.first, dy, name_of(op));
  const View& b_or = read_or(b, reads.second, dy, name_of(op));
  int type = type_index(dy.dtype, name_of(op));
  if (da.defined()) run_loop(on, table().binary_da[static_cast<int>(op)][type], {&a_or, &b_or, &dy}, da);
  if (db.defined()) run_loop(on, table().binary_db[static_cast<int>(op)][type], {&a_or, &b_or, &dy}, db);
}

#define ISKRA_NAME(name, doc) #name,
const char* name_of(UnaryOp op) {
  static constexpr const char* kNames[] = {ISKRA_UNARY_OPS(ISKRA_NAME)};
  return kNames[static_cast<int>(op)];
}
const char* name_of(BinaryOp op) {
  static constexpr const char* kNames[] = {ISKRA_BINARY_OPS(ISKRA_NAME)};
  return kNames[static_cast<int>(op)];
}
#undef ISKRA_NAME

#define ISKRA_READS(name, doc) {ops::name::kReadsX, ops::name::kReadsY},
BackwardReads backward_reads(UnaryOp op) {
  static constexpr BackwardReads kReads[] = {ISKRA_UNARY_OPS(ISKRA_READS)};
  return kReads[static_cast<int>(op)];
}
#undef ISKRA_READS

#define ISKRA_READS(name, doc) {ops::name::kReadsA, ops::name::kReadsB},
BackwardReads backward_reads(BinaryOp op) {
  static constexpr BackwardReads kReads[] = {ISKRA_BINARY_OPS(ISKRA_READS)};
  return kReads[static_cast<int>(op)];
}
#undef ISKRA_READS

}  // namespace iskra::kernels
