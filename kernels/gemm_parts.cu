// The second half of products whose long sums are made by several blocks: the parts are added, in order.
#include <iskra/kernels/gemm.cuh>
#include <iskra/kernels/gpu_walk.cuh>

namespace iskra::kernels::simt {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads) sum_parts(Cut cut, T* total, bool last, Results to) {
  int64_t n = to.batch.items * to.m * to.n;
  const auto* partial = static_cast<const T*>(cut.partial);
  for (int64_t i = int64_t{blockIdx.x} * kThreads + threadIdx.x; i < n; i += int64_t{gridDim.x} * kThreads) {
    T sum = cut.first == 0 ? T(0) : total[i];
#pragma unroll 8
    for (int64_t part = 0; part < cut.count; ++part) sum += partial[part * n + i];
    if (!last) {
      total[i] = sum;
      continue;
    }
    int64_t col = i % to.n, row = i / to.n % to.m, item = i / to.n / to.m;
    int64_t of_c = to.batch.offset(item, to.batch.c);
    finish_one(to.then, sum, col + item * to.bias_step, of_c + row * to.row + to.column(col), to.c, to.type);
  }
}

}  // namespace

template <class T>
void add_parts(const Cuda& on, const Cut& cut, T* total, bool last, const Results& to) {
  int64_t n = to.batch.items * to.m * to.n;
  gpu::launch<sum_parts<T>>({blocks_for(n, kThreads), kThreads}, on, cut, total, last, to);
}
template void add_parts(const Cuda&, const Cut&, float*, bool, const Results&);
template void add_parts(const Cuda&, const Cut&, double*, bool, const Results&);

}  // namespace iskra::kernels::simt
