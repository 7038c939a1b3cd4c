// Softmax and log softmax along the middle axis of dense (O,L,I): rows where I is 1, else columns side by
// side, so that an axis other than the last one costs no transposed copy.
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parameters.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/softmax.isa.h>

namespace iskra::kernels {
namespace {

const SoftmaxTable& table() {
  static const SoftmaxTable& chosen = by_isa(v2::softmax_table, v3::softmax_table, v4::softmax_table);
  return chosen;
}

size_t numbers(const View& x, int64_t count) {
  return size_of(computing_dtype(x.dtype)) * static_cast<size_t>(count);
}

/// Calls body(offset, width, memory) for blocks of columns of (O,L,I).
template <class F>
void for_columns(const Cpu& on, const View& x, const char* op, F body) {
  constexpr int64_t kWidth = 128;
  const int64_t length = x.size(1), inner = x.size(2), blocks = (inner + kWidth - 1) / kWidth;
  parallel_lanes(on, x.size(0) * blocks, numbers(x, 2 * kWidth), op, [&](Pieces& pieces, char* memory) {
    for (int64_t piece = 0; pieces.next(piece);) {
      const int64_t first = piece % blocks * kWidth;
      body(piece / blocks * length * inner + first, std::min(kWidth, inner - first), memory);
    }
  });
}

void forward(const Cpu& on, const View& x, bool logarithm, const MutView& y, const char* op) {
  const int type = floating_type_index(x.dtype, op);
  if (x.numel() == 0) return;
  const int64_t length = x.size(1), inner = x.size(2);
  if (inner == 1)
    return for_rows(on, x.size(0), length, numbers(x, padded_row(length)), op,
                    [&](int64_t row, int64_t rows, char* memory) {
                      table().rows[type](at(x, row * length), rows, length, logarithm, memory,
                                         at(y, row * length));
                    });
  for_columns(on, x, op, [&](int64_t offset, int64_t width, char* memory) {
    table().columns[type](at(x, offset), length, inner, width, logarithm, memory, at(y, offset));
  });
}

void backward(const Cpu& on, const View& y, const View& dy, bool logarithm, const MutView& dx,
              const char* op) {
  const int type = floating_type_index(y.dtype, op);
  if (y.numel() == 0) return;
  const int64_t length = y.size(1), inner = y.size(2);
  if (inner == 1)
    return for_rows(on, y.size(0), length, numbers(y, 2 * padded_row(length)), op,
                    [&](int64_t row, int64_t rows, char* memory) {
                      const int64_t first = row * length;
                      table().rows_backward[type](at(y, first), at(dy, first), rows, length, logarithm,
                                                  memory, at(dx, first));
                    });
  for_columns(on, y, op, [&](int64_t offset, int64_t width, char* memory) {
    table().columns_backward[type](at(y, offset), at(dy, offset), length, inner, width, logarithm, memory,
                                   at(dx, offset));
  });
}

}  // namespace

void softmax(Cpu on, View x, MutView y) { forward(on, x, false, y, "softmax"); }
void softmax_backward(Cpu on, View y, View dy, MutView dx) {
  backward(on, y, dy, false, dx, "softmax_backward");
}
void log_softmax(Cpu on, View x, MutView y) { forward(on, x, true, y, "log_softmax"); }
void log_softmax_backward(Cpu on, View y, View dy, MutView dx) {
  backward(on, y, dy, true, dx, "log_softmax_backward");
}

}  // namespace iskra::kernels
