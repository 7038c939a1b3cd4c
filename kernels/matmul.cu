// Matrix products on CUDA cores: c = then(a b), batched, any strides, in f32 and f64 and, by way of f32, in
// 16 bits. gemm.cuh says how the sums are made: in an order that depends on k alone, so that a row has the
// same bits however many rows there are.
#include <algorithm>

#include <iskra/kernels/gpu_types.h>
#include <iskra/kernels/matmul_paths.h>
#include <iskra/kernels/product_batch.h>
#include <iskra/kernels/widen.h>
#include <iskra/kernels/gemm.cuh>

namespace iskra::kernels {
namespace {

using namespace simt;  // NOLINT(google-build-using-namespace)

/// Four elements a thread of a tile of 64 lines (rows of a, or columns of b) by 16 places along k, read along
/// whichever lies densely; 0 outside of the matrix. Tiles are read one after the other, from `begin` on.
template <class S, class T>
class Lines {
 public:
  DEV Lines(const S* x, int64_t first, int64_t lines, int64_t line_stride, int64_t begin, int64_t depth,
            int64_t k_stride, bool along_k, int thread)
      : line_(along_k ? thread / kDepth : thread % kTile),
        k_(along_k ? thread % kDepth : thread / kTile),
        line_step_(along_k ? kThreads / kDepth : 0),
        k_step_(along_k ? 0 : kThreads / kTile),
        left_(static_cast<int>(min(lines - first - line_, int64_t{kTile}))),
        depth_(depth),
        advance_(kDepth * k_stride),
        step_(line_step_ * line_stride + k_step_ * k_stride),
        from_(x + (first + line_) * line_stride + (begin + k_) * k_stride) {}

  DEV void read(int64_t k) {
    int deep = static_cast<int>(min(depth_ - k, int64_t{kDepth})) - k_;
    const S* from = from_;
#pragma unroll
    for (int i = 0; i < 4; ++i, from += step_)
      of_[i] = i * line_step_ < left_ && i * k_step_ < deep ? load(*from) : T(0);
    from_ += advance_;
  }
  DEV void write(Tile<T>& to) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) to[k_ + i * k_step_][line_ + i * line_step_] = of_[i];
  }

 private:
  T of_[4];
  int line_, k_, line_step_, k_step_, left_;
  int64_t depth_, advance_, step_;
  const S* from_;
};

template <class S, class T>
struct Operands {
  Lines<S, T> a, b;

  DEV void read(int64_t k) { a.read(k), b.read(k); }
  DEV void write(Tile<T>& to_a, Tile<T>& to_b) const { a.write(to_a), b.write(to_b); }
};

template <class S, class T>
__global__ void __launch_bounds__(kThreads)
    gemm_simt(GemmShape s, const S* a, const S* b, Cut cut, Results to) {
  SHARED(tiles, Tiles<T>);
  Seat seat;
  int64_t across = (s.n + kTile - 1) / kTile;
  int64_t row = blockIdx.x / across * kTile, col = blockIdx.x % across * kTile;
  for (int64_t job = blockIdx.z; job < to.batch.items * cut.count; job += gridDim.z) {
    int64_t item = job % to.batch.items, part = job / to.batch.items;
    int64_t of_a = to.batch.offset(item, to.batch.a), of_b = to.batch.offset(item, to.batch.b);
    int64_t of_c = to.batch.offset(item, to.batch.c);
    int64_t begin = cut.begin(part);
    Operands<S, T> next{{a + of_a, row, s.m, s.a_row, begin, s.k, s.a_col, s.a_col == 1, seat.thread},
                        {b + of_b, col, s.n, s.b_col, begin, s.k, s.b_row, s.b_col != 1, seat.thread}};
    T total[kEach][kEach];
    add_products(next, begin, cut.end(part, s.k), cut.length, seat, tiles, total);
    store_tile(total, row, col, s.m, item, part, cut, to, seat, tiles,
               [&](int r) { return of_c + (row + r) * to.row; });
  }
}

}  // namespace

void native::matmul_simt(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta) {
  ProductBatch p = product_batch(a, b, c);
  Results to;
  to.batch = batch_of(p, p.a_stride, p.b_stride);
  to.m = p.one.m;
  to.n = p.one.n;
  to.c = c.data;
  to.type = c.dtype;
  to.row = p.one.c_row;
  to.then = finish_of(then, beta);
  int64_t tiles = tiles_of(p.one.m) * tiles_of(p.one.n);
  ISKRA_CHECK(tiles <= INT32_MAX, "matmul: ", p.one.m, " rows and ", p.one.n,
              " columns are too many for one product on CUDA");
  with_floating(a.dtype, "matmul", [&]<class S>(S) {
    using T = Computed<S>;
    in_parts<T>(on, to, tiles * to.batch.items, p.one.k, "matmul", [&](const Cut& cut) {
      gpu::launch<gemm_simt<S, T>>({grid_of(tiles, to.batch.items * cut.count), kThreads}, on, p.one,
                                   a.as<S>(), b.as<S>(), cut, to);
    });
  });
}

}  // namespace iskra::kernels
