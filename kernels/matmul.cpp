// c = beta * c + a b + bias, batched and strided: cut into blocks of rows and columns that depend on the
// shapes alone; each block is one product on one thread.
#include <algorithm>
#include <optional>

#include <iskra/kernels/check.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>

namespace iskra::kernels {
namespace {

/// Leading axes, merged where all three operands allow it, and the product of the two last axes.
struct Problem {
  GemmShape one;
  Shape batch, a_stride, b_stride, c_stride;

  int64_t items() const { return batch.numel(); }
};

/// Offsets of one item of the batch, in elements.
struct Offsets {
  int64_t a = 0, b = 0, c = 0;
};

Offsets offsets_of(const Problem& p, int64_t item) {
  Offsets at;
  for (int axis = p.batch.rank() - 1; axis >= 0; --axis) {
    const int64_t i = item % p.batch[axis];
    item /= p.batch[axis];
    at.a += i * p.a_stride[axis];
    at.b += i * p.b_stride[axis];
    at.c += i * p.c_stride[axis];
  }
  return at;
}

/// The stride of a leading axis of `x`, counted from the right as c's axis is; 0 where x is broadcast.
int64_t batch_stride(const View& x, const View& c, int axis) {
  const int at = axis - (c.rank() - x.rank());
  return at < 0 || x.size(at) == 1 ? 0 : x.stride[at];
}

/// Makes the last leading axis part of the rows, where b is shared and the rows of a and c go on evenly.
bool fold_batch_into_rows(Problem& p) {
  if (p.batch.rank() == 0) return false;
  const int last = p.batch.rank() - 1;
  GemmShape& s = p.one;
  if (s.m == 1) {
    s.a_row = p.a_stride[last];
    s.c_row = p.c_stride[last];
  }
  if (p.b_stride[last] != 0 || p.a_stride[last] != s.m * s.a_row || p.c_stride[last] != s.m * s.c_row)
    return false;
  s.m *= p.batch[last];
  for (Shape* shape : {&p.batch, &p.a_stride, &p.b_stride, &p.c_stride}) shape->erase(last);
  return true;
}

Problem normalize(const View& a, const View& b, const View& c) {
  Problem p;
  const auto last = [](const Shape& s, int from_end) { return s[s.rank() - from_end]; };
  p.one = {last(c.shape, 2),  last(c.shape, 1),  last(a.shape, 1),  last(a.stride, 2),
           last(a.stride, 1), last(b.stride, 2), last(b.stride, 1), last(c.stride, 2)};
  for (int axis = 0; axis < c.rank() - 2; ++axis) {
    if (c.size(axis) == 1) continue;
    p.batch.push_back(c.size(axis));
    p.a_stride.push_back(batch_stride(a, c, axis));
    p.b_stride.push_back(batch_stride(b, c, axis));
    p.c_stride.push_back(c.stride[axis]);
  }
  while (fold_batch_into_rows(p)) {
  }
  if (p.one.m == 1) p.one.c_row = p.one.n;  // whatever the only row's stride is
  if (p.one.k == 0) {  // a and b have no element, and may have no memory to take offsets in
    p.one.a_row = p.one.a_col = p.one.b_row = p.one.b_col = 0;
    p.a_stride = p.b_stride = Shape::filled(p.batch.rank(), 0);
  }
  return p;
}

bool has_unit_stride(const View& x) {
  const int r = x.rank();
  return x.stride[r - 1] == 1 || x.stride[r - 2] == 1 || x.size(r - 1) <= 1 || x.size(r - 2) <= 1;
}

void check_operands(const View& a, const View& b, const View& c) {
  ISKRA_CHECK(a.rank() >= 2 && b.rank() >= 2 && c.rank() >= 2, "matmul: operands need two axes or more, got ",
              a.shape, " and ", b.shape);
  const int64_t m = a.size(a.rank() - 2), k = a.size(a.rank() - 1), n = b.size(b.rank() - 1);
  ISKRA_CHECK(b.size(b.rank() - 2) == k, "matmul: inner sizes differ: a is ", a.shape, ", b is ", b.shape);
  ISKRA_CHECK(c.size(c.rank() - 2) == m && c.size(c.rank() - 1) == n, "matmul: c is ", c.shape, ", but a ",
              a.shape, " times b ", b.shape, " has last axes (", m, ", ", n, ")");
  ISKRA_CHECK(has_unit_stride(a), "matmul: a ", a.shape, " has strides ", a.stride,
              ", but one of its last two axes needs stride 1; make it contiguous first");
  ISKRA_CHECK(has_unit_stride(b), "matmul: b ", b.shape, " has strides ", b.stride,
              ", but one of its last two axes needs stride 1; make it contiguous first");
  ISKRA_CHECK(n <= 1 || c.stride.back() == 1, "matmul: c ", c.shape, " has strides ", c.stride,
              ", but its last axis needs stride 1");
}

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
void multiply(const Cpu& on, const Problem& p, const ProductSpec& spec, const ProductOperands& at) {
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

/// Residual and preactivation are read and written at c's places.
void check_like_c(const View& x, const View& c, const char* name) {
  ISKRA_CHECK(!x.defined() || (x.dtype == c.dtype && x.shape == c.shape && x.stride == c.stride),
              "matmul: the ", name, " is ", name_of(x.dtype), " ", x.shape, " with strides ", x.stride,
              ", but c ", name_of(c.dtype), " ", c.shape, " with strides ", c.stride,
              "; they must lie alike");
}

void check_types(const View& a, const View& b, const View& c, float beta, const Epilogue& then) {
  const bool half = a.dtype == DType::bf16 || a.dtype == DType::f16;
  ISKRA_CHECK(
      is_floating(a.dtype) && b.dtype == a.dtype && (c.dtype == a.dtype || (half && c.dtype == DType::f32)),
      "matmul: a is ", name_of(a.dtype), ", b ", name_of(b.dtype), ", c ", name_of(c.dtype),
      "; they must be of one floating type (c may be f32 where a and b have 16 bits)");
  ISKRA_CHECK(beta == 0 || beta == 1, "matmul: beta is ", beta, ", but must be 0 or 1");
  ISKRA_CHECK(beta == 0 || (then.activation == Activation::none && !then.residual.defined() &&
                            !then.preactivation.defined()),
              "matmul: beta is 1, but adding to c goes with a bias only");
}

}  // namespace

void matmul(Cpu on, View a, View b, const Epilogue& then, MutView c, float beta) {
  check_operands(a, b, c);
  check_types(a, b, c, beta, then);
  check_bias(then.bias, c.shape.back(), a.dtype, "matmul");
  check_like_c(then.residual, c, "residual");
  check_like_c(then.preactivation, c, "preactivation");
  if (c.numel() == 0) return;
  const Problem p = normalize(a, b, c);
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
