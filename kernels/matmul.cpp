// c = beta * c + a b + bias, batched and strided: cut into blocks of rows and columns that depend on the
// shapes alone; each block is one product on one thread.
#include <algorithm>
#include <optional>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/product_batch.h>

namespace iskra::kernels {
namespace {

/// How one item is cut, from the shapes alone. Columns are cut by the size of b, not by the number of rows,
/// unless a is a transpose (a weight gradient): so a row has the same bits however many rows come along, and
/// a picture's result does not depend on its neighbours in the batch. Large b are cut because few rows would
/// leave all the reading of it to one thread, and so that a block's sums stay in the second cache.
struct Cut {
  int64_t rows, cols;              // of a block
  int64_t row_blocks, col_blocks;  // of an item
  int64_t per_piece;               // items that go together, when they are small

  Cut(const GemmShape& s, int64_t items) {
    constexpr int64_t kMaxRows = 256, kGoodSide = 64, kLeastSide = 16, kWantedPieces = 8, kEnoughPieces = 4;
    constexpr int64_t kLargeOperand = int64_t{1} << 20, kColumnBlocks = 8;
    constexpr double kSmall = 1e6;  // operations that are not worth a cut: about 10 microseconds
    const bool cut_columns = s.a_row == 1 && s.a_col != 1;
    rows = std::min(s.m, kMaxRows);
    cols = s.n;
    if (s.n * s.k >= kLargeOperand && (!cut_columns || s.n > 1024)) {
      // Fewer columns are worth a piece only where each brings much to read.
      const int64_t least = s.k >= 8192 ? 128 : 256;
      cols = std::min(s.n, std::max(least, ((s.n + kColumnBlocks - 1) / kColumnBlocks + 63) / 64 * 64));
    }
    count(s);
    const auto pieces = [&] { return items * row_blocks * col_blocks; };
    while (pieces() < kWantedPieces && operations(rows, cols, s.k) > kSmall) {
      if (rows > kGoodSide)
        rows = std::max(kGoodSide, half(rows));
      else if (cut_columns && cols > kGoodSide)
        cols = std::max(kGoodSide, half(cols));
      else if (rows > kLeastSide && pieces() < kEnoughPieces)
        rows = half(rows);
      else
        break;
      count(s);
    }
    const bool whole = row_blocks * col_blocks == 1;
    per_piece =
        whole ? std::max<int64_t>(1, static_cast<int64_t>(kSmall / (operations(s.m, s.n, s.k) + 1000.0))) : 1;
  }

 private:
  static int64_t half(int64_t side) { return ((side + 1) / 2 + 15) / 16 * 16; }
  static double operations(int64_t m, int64_t n, int64_t k) {
    return 2.0 * static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  }
  void count(const GemmShape& s) {
    row_blocks = (s.m + rows - 1) / rows;
    col_blocks = (s.n + cols - 1) / cols;
  }
};

/// The up to four products that the blocks of an item need: full or last, in rows and in columns.
class BlockProducts {
 public:
  BlockProducts(const Cpu& on, const ProductSpec& spec, const Cut& cut) {
    const GemmShape& s = spec.shape;
    for (int i = 0; i < 4; ++i) {
      ProductSpec block = spec;
      block.shape.m = i & 2 ? s.m - (cut.row_blocks - 1) * cut.rows : cut.rows;
      block.shape.n = i & 1 ? s.n - (cut.col_blocks - 1) * cut.cols : cut.cols;
      products_[i].emplace(on.provider, block);
      scratch_bytes_ = std::max(scratch_bytes_, products_[i]->scratch_bytes());
    }
  }
  size_t scratch_bytes() const { return scratch_bytes_; }
  const Product& operator[](int i) const { return *products_[i]; }

 private:
  std::optional<Product> products_[4];
  size_t scratch_bytes_ = 0;
};

/// Memory of an operand from its element `offset` on; null stays null.
const void* from(const void* data, DType type, int64_t offset) {
  return data == nullptr ? nullptr
                         : static_cast<const char*>(data) + offset * static_cast<int64_t>(size_of(type));
}
void* from(void* data, DType type, int64_t offset) {
  return data == nullptr ? nullptr : static_cast<char*>(data) + offset * static_cast<int64_t>(size_of(type));
}

/// `at` holds the operands of the whole batch.
void multiply(const Cpu& on, const ProductBatch& p, const ProductSpec& spec, const ProductOperands& at) {
  const GemmShape& s = spec.shape;
  const Cut cut(s, p.items());
  const BlockProducts products(on, spec, cut);
  const DType bias_type = spec.in == DType::f64 ? DType::f64 : DType::f32;
  const int64_t blocks = cut.row_blocks * cut.col_blocks, items = p.items();
  const int64_t pieces = (items + cut.per_piece - 1) / cut.per_piece * blocks;
  parallel_lanes(on, pieces, products.scratch_bytes(), "matmul", [&](Pieces& todo, void* memory) {
    std::optional<ProductRunner> runners[4];
    for (int64_t piece; todo.next(piece);) {
      const int64_t block = piece % blocks, first = piece / blocks * cut.per_piece;
      const int64_t i = block / cut.col_blocks, j = block % cut.col_blocks;
      const int which = (i == cut.row_blocks - 1 ? 2 : 0) + (j == cut.col_blocks - 1 ? 1 : 0);
      if (!runners[which]) runners[which].emplace(products[which], memory);
      const int64_t row = i * cut.rows, col = j * cut.cols;
      for (int64_t item = first; item < std::min(first + cut.per_piece, items); ++item) {
        const Offsets o = offsets_of(p, item);
        const int64_t to = o.c + row * s.c_row + col;
        (*runners[which])({from(at.a, spec.in, o.a + row * s.a_row), from(at.b, spec.in, o.b + col * s.b_col),
                           from(at.c, spec.out, to), from(at.bias, bias_type, col),
                           from(at.residual, spec.out, to), from(at.preactivation, spec.out, to)});
      }
    }
  });
}

}  // namespace

void matmul(Cpu on, View a, View b, const Epilogue& then, MutView c, float beta) {
  check_matmul(a, b, then, c, beta);
  if (c.numel() == 0) return;
  const ProductBatch p = product_batch(a, b, c);
  ProductSpec spec{p.one, a.dtype, c.dtype, beta, then.bias.defined(), then.activation};
  if (then.residual.defined()) spec.residual_row = p.one.c_row;
  if (then.preactivation.defined()) spec.preactivation_row = p.one.c_row;
  ProductOperands at{a.data, b.data, c.data, nullptr, then.residual.data, then.preactivation.data};
  switch (a.dtype) {
    case DType::f64:
      at.bias = widened_bias<double>(on, then.bias, "matmul");
      break;
    case DType::bf16:
      at.bias = widened_bias<bf16>(on, then.bias, "matmul");
      break;
    case DType::f16:
      at.bias = widened_bias<f16>(on, then.bias, "matmul");
      break;
    default:
      at.bias = widened_bias<float>(on, then.bias, "matmul");
  }
  multiply(on, p, spec, at);
}

}  // namespace iskra::kernels
