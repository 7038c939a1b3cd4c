// Two threads inside parallel_for write to one counter (`race`), or each to its own (`clean`).
// ThreadSanitizer must report the first on every run and never the second. Exit code 3: no second thread
// came, so nothing was shown.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include <iskra/kernels/parallel.h>

int main(int argc, char** argv) {
  const bool race = argc == 2 && std::string(argv[1]) == "race";
  long counters[16] = {};
  std::atomic<int> arrived = 0;
  auto both_are_here = [&] {
    // Relaxed: the meeting itself must not order what the threads do next, or it would hide the race.
    arrived.fetch_add(1, std::memory_order_relaxed);
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (arrived.load(std::memory_order_relaxed) < 2) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::yield();
    }
    return true;
  };
  std::atomic<bool> met = true;
  iskra::kernels::parallel_for(iskra::kernels::Cpu{.threads = 2}, 2, 1, [&](int64_t begin, int64_t) {
    if (!both_are_here()) met.store(false, std::memory_order_relaxed);
    for (int i = 0; i < 1000; ++i) counters[race ? 0 : 8 * begin] += 1;
  });
  // Read on purpose: the end of parallel_for orders this after both threads' writes.
  std::printf("%ld\n", counters[0] + counters[8]);
  return met ? 0 : 3;
}
