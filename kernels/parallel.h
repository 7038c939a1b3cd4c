// The one parallel loop of iskra. Nothing else opens a parallel region.
#pragma once

#include <cstdint>
#include <type_traits>

#include <iskra/kernels/base.h>

namespace iskra::kernels {

namespace detail {
void run_pieces(int threads, int64_t pieces, void (*body)(void*, int64_t piece), void* context);
}

/// Cuts [0, n) into pieces of `grain` (the last may be shorter) and calls body(begin, end) for each, on at
/// most on.threads threads. The cut depends on n and grain alone, so results cannot depend on the thread
/// budget as long as pieces write to different places. An exception in the body is rethrown after all pieces
/// ended.
template <class F>
void parallel_for(const Cpu& on, int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  if (grain < 1) grain = 1;
  struct Context {
    std::remove_reference_t<F>* body;
    int64_t n, grain;
  } context{&body, n, grain};
  detail::run_pieces(
      on.threads, (n + grain - 1) / grain,
      [](void* c, int64_t piece) {
        auto& at = *static_cast<Context*>(c);
        int64_t begin = piece * at.grain;
        (*at.body)(begin, begin + at.grain < at.n ? begin + at.grain : at.n);
      },
      &context);
}

/// Threads that this machine offers (affinity mask respected, OMP_NUM_THREADS as upper bound when set).
int hardware_threads();

}  // namespace iskra::kernels
