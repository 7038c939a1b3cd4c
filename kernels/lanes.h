// Work on numbered pieces with one buffer for each thread ("lane"): memory grows with the thread budget,
// results do not depend on it, because what is computed is bound to the piece and never to the lane.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/parallel.h>

namespace iskra::kernels {

inline size_t round_up_64(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Temporary memory of this call, or a clear error when the caller gave none.
inline void* scratch_bytes(const Cpu& on, size_t bytes, const char* op) {
  ISKRA_CHECK(on.scratch != nullptr, op, ": needs ", bytes,
              " bytes of temporary memory, but the device tag carries no Scratch; set Cpu::scratch");
  return on.scratch->bytes(bytes);
}
template <class T>
T* scratch_of(const Cpu& on, int64_t count, const char* op) {
  return static_cast<T*>(scratch_bytes(on, sizeof(T) * static_cast<size_t>(count), op));
}

/// The pieces left to do, handed out one by one to whichever lane asks.
class Pieces {
 public:
  explicit Pieces(int64_t count) : count_(count) {}
  bool next(int64_t& piece) {
    piece = next_.fetch_add(1, std::memory_order_relaxed);
    return piece < count_;
  }

 private:
  std::atomic<int64_t> next_{0};
  int64_t count_;
};

/// Calls body(pieces, memory) once on each of at most on.threads lanes; the body sets itself up and then
/// loops `while (pieces.next(piece))`. `memory` is the lane's own, `lane_bytes` long.
template <class F>
void parallel_lanes(const Cpu& on, int64_t count, size_t lane_bytes, const char* op, F&& body) {
  if (count <= 0) return;
  const int64_t lanes = std::min<int64_t>(std::max(on.threads, 1), count);
  lane_bytes = round_up_64(lane_bytes);
  char* memory = lane_bytes == 0
                     ? nullptr
                     : static_cast<char*>(scratch_bytes(on, lane_bytes * static_cast<size_t>(lanes), op));
  Pieces pieces(count);
  parallel_for(on, lanes, 1, [&](int64_t lane, int64_t) { body(pieces, memory + lane_bytes * lane); });
}

}  // namespace iskra::kernels
