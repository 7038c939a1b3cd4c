#include <algorithm>
#include <exception>

#include <omp.h>

#include <iskra/kernels/check.h>
#include <iskra/kernels/parallel.h>

namespace iskra::kernels {

namespace detail {

void run_pieces(int threads, int64_t pieces, void (*body)(void*, int64_t piece), void* context) {
  int team = static_cast<int>(std::min<int64_t>(threads, pieces));
  if (team <= 1 || omp_in_parallel()) {
    for (int64_t piece = 0; piece < pieces; ++piece) body(context, piece);
    return;
  }
  // Of several exceptions the one of the first piece wins, so that the message does not depend on timing.
  std::exception_ptr failure;
  int64_t failed_piece = pieces;
  const iskra::detail::Call call = iskra::detail::current_call();  // errors of all threads name the caller
#pragma omp parallel for num_threads(team) schedule(dynamic, 1)
  for (int64_t piece = 0; piece < pieces; ++piece) {
    iskra::detail::current_call() = call;
    try {
      body(context, piece);
    } catch (...) {
#pragma omp critical(iskra_parallel_failure)
      if (piece < failed_piece) {
        failed_piece = piece;
        failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace detail

int hardware_threads() { return std::max(1, std::min(omp_get_num_procs(), omp_get_max_threads())); }

}  // namespace iskra::kernels
