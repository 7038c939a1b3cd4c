#include <iskra/core/context.h>

#include <iskra/kernels/check.h>
#include <iskra/kernels/parallel.h>

namespace iskra {

Context& context() {
  thread_local Context settings;
  return settings;
}

int thread_budget() {
  int threads = context().threads;
  return threads > 0 ? threads : kernels::hardware_threads();
}

void set_threads(int threads) {
  ISKRA_CHECK(threads >= 0, "set_threads: ", threads, " threads; give 1 or more, or 0 for all");
  context().threads = threads;
}

void set_synchronous(bool on) { context().synchronous = on; }

}  // namespace iskra
