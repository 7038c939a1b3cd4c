// Matrix products on tensor cores by mma: c = then(a b) of 16-bit operands, and of f32 rounded to tf32, in
// f32; batched, transposed in any way. gemm_mma.cuh says how the sums are made.
#include <iskra/kernels/check.h>
#include <iskra/kernels/matmul_paths.h>
#include <iskra/kernels/gemm_mma.cuh>

namespace iskra::kernels {
namespace tensor_cores {
namespace {

// How operands lie: along k, a sum of these, or as the product says at run time.
constexpr int kAAlongK = 1, kBAlongK = 2, kAsItSays = -1;

template <class T, class B, int lies>
__global__ void __launch_bounds__(B::threads, B::threads == 256 ? 2 : 4)
    gemm_mma(const __grid_constant__ Gemm gemm, unsigned rows, unsigned columns) {
  DYN_SHARED(unsigned char, ring);
  bool a_along_k = lies == kAsItSays ? gemm.a.along_k : (lies & kAAlongK) != 0;
  bool b_along_k = lies == kAsItSays ? gemm.b.along_k : (lies & kBAlongK) != 0;
  int thread = static_cast<int>(threadIdx.x);
  unsigned item = blockIdx.x / (rows * columns);
  Place at = place_of(blockIdx.x % (rows * columns), rows, columns);
  int64_t row = int64_t{at.row} * B::m, column = int64_t{at.column} * B::n;
  Copier<T, B::m, B::threads> a(gemm.a, a_along_k, gemm.batch.offset(item, gemm.batch.a), row, gemm.m,
                                thread);
  Copier<T, B::n, B::threads> b(gemm.b, b_along_k, gemm.batch.offset(item, gemm.batch.b), column, gemm.n,
                                thread);
  Sums<B> sums;
  add_products<T, B>(sums, a, b, gemm.k, a_along_k, b_along_k, ring, thread);
  finish_sums<B>(sums, gemm, row, column, gemm.batch.offset(item, gemm.batch.c), ring, thread);
}

template <class T, class B, int lies>
void launch(const Cuda& on, const Gemm& gemm) {
  int64_t rows = pieces(gemm.m, B::m), columns = pieces(gemm.n, B::n);
  int64_t blocks = rows * columns * gemm.batch.items;
  ISKRA_CHECK(blocks <= INT32_MAX, "matmul: ", gemm.batch.items, " products of ", gemm.m, " rows and ",
              gemm.n, " columns are too many results for CUDA");
  gpu::launch<gemm_mma<T, B, lies>>({static_cast<unsigned>(blocks), B::threads, B::shared_bytes}, on, gemm,
                                    static_cast<unsigned>(rows), static_cast<unsigned>(columns));
}

/// Large tiles read less; small ones where large ones would leave multiprocessors without work.
template <class T>
void launch_for(const Cuda& on, const Gemm& gemm) {
  constexpr int kBoth = kAAlongK | kBAlongK;
  bool small =
      pieces(gemm.m, Large::m) * pieces(gemm.n, Large::n) * gemm.batch.items < gpu_of(on).multiprocessors;
  if constexpr (std::is_same_v<T, float>) {
    return small ? launch<T, Small, kBoth>(on, gemm) : launch<T, Large, kBoth>(on, gemm);
  } else {
    if (small) return launch<T, Small, kAsItSays>(on, gemm);
    if (gemm.a.along_k)
      return gemm.b.along_k ? launch<T, Large, kBoth>(on, gemm) : launch<T, Large, kAAlongK>(on, gemm);
    return gemm.b.along_k ? launch<T, Large, kBAlongK>(on, gemm) : launch<T, Large, 0>(on, gemm);
  }
}

}  // namespace
}  // namespace tensor_cores

void native::matmul_mma(Cuda on, View a, View b, const Epilogue& then, MutView c, float beta) {
  using namespace tensor_cores;  // NOLINT(google-build-using-namespace)
  bool tf32 = a.dtype == DType::f32;
  Gemm gemm = prepare(on, a, b, then, c, beta, tf32 ? Access::along_k : Access::cp_async);
  if (tf32) return launch_for<float>(on, gemm);
  return a.dtype == DType::bf16 ? launch_for<bf16>(on, gemm) : launch_for<f16>(on, gemm);
}

}  // namespace iskra::kernels
