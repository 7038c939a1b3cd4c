// Pointwise ops: the loops of the ISA level on operands of any strides and types.
#include <iskra/kernels/check.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/pointwise.isa.h>
#include <iskra/kernels/pointwise_ops.h>
#include <iskra/kernels/pointwise_run.h>

namespace iskra::kernels {
namespace {

const PointwiseTable& table() {
  static const PointwiseTable& chosen = by_isa(v2::pointwise_table, v3::pointwise_table, v4::pointwise_table);
  return chosen;
}

// An operand that a derivative does not read may be undefined.
const View* read_if(const View& operand, bool read, const View& dy, const char* op) {
  ISKRA_CHECK(!read || operand.defined() || dy.numel() == 0, op,
              ": the derivative reads an operand that is undefined");
  return read ? &operand : nullptr;
}

}  // namespace

void unary(Cpu on, UnaryOp op, View x, MutView y, const PointwiseParams& params) {
  run_pointwise(on, table().unary[static_cast<int>(op)], integer_body(op), {&x}, y, params);
}

void unary_backward(Cpu on, UnaryOp op, View x, View y, View dy, MutView dx, const PointwiseParams& params) {
  const BackwardReads reads = backward_reads(op);
  run_pointwise(on, table().unary_backward[static_cast<int>(op)], nullptr,
                {read_if(x, reads.first, dy, name_of(op)), read_if(y, reads.second, dy, name_of(op)), &dy},
                dx, params);
}

void binary(Cpu on, BinaryOp op, View a, View b, MutView y) {
  run_pointwise(on, table().binary[static_cast<int>(op)], integer_body(op), {&a, &b}, y);
}

void binary_backward(Cpu on, BinaryOp op, View a, View b, View dy, MutView da, MutView db) {
  const BackwardReads reads = backward_reads(op);
  const View* a_read = read_if(a, reads.first, dy, name_of(op));
  const View* b_read = read_if(b, reads.second, dy, name_of(op));
  const auto &by_a = table().binary_da[static_cast<int>(op)], &by_b = table().binary_db[static_cast<int>(op)];
  if (da.defined()) run_pointwise(on, by_a, nullptr, {a_read, b_read, &dy}, da);
  if (db.defined()) run_pointwise(on, by_b, nullptr, {a_read, b_read, &dy}, db);
}

#define ISKRA_NAME(name, doc) #name,
const char* name_of(UnaryOp op) {
  static constexpr const char* kNames[] = {ISKRA_ALL_UNARY_OPS(ISKRA_NAME)};
  return kNames[static_cast<int>(op)];
}
const char* name_of(BinaryOp op) {
  static constexpr const char* kNames[] = {ISKRA_ALL_BINARY_OPS(ISKRA_NAME)};
  return kNames[static_cast<int>(op)];
}
#undef ISKRA_NAME

#define ISKRA_READS(name, doc) {ops::name::kReadsX, ops::name::kReadsY},
BackwardReads backward_reads(UnaryOp op) {
  static constexpr BackwardReads kReads[] = {ISKRA_ALL_UNARY_OPS(ISKRA_READS)};
  return kReads[static_cast<int>(op)];
}
#undef ISKRA_READS

#define ISKRA_READS(name, doc) {ops::name::kReadsA, ops::name::kReadsB},
BackwardReads backward_reads(BinaryOp op) {
  static constexpr BackwardReads kReads[] = {ISKRA_ALL_BINARY_OPS(ISKRA_READS)};
  return kReads[static_cast<int>(op)];
}
#undef ISKRA_READS

bool gives_bool(UnaryOp op) { return op >= UnaryOp::logical_not; }
bool gives_bool(BinaryOp op) { return op >= BinaryOp::eq; }
bool takes_integers(UnaryOp op) { return integer_body(op) != nullptr; }
bool takes_integers(BinaryOp op) { return integer_body(op) != nullptr; }

}  // namespace iskra::kernels
