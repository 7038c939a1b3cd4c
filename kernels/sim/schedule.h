// In which order the threads of a kernel run. A GPU promises none, so a right kernel gives the same result in
// all.
#pragma once

#include <cstdint>
#include <string>

namespace iskra::sim {

enum class Order : uint8_t {
  forward,  ///< from thread 0 and block 0 on, each until it has to wait
  reverse,  ///< the same from the last thread and block on
  deep,     ///< one warp as far as it goes before the next
  random,   ///< drawn at every turn; atomics are turns, too, and up to four blocks run side by side
};

struct Schedule {
  Order order = Order::forward;
  uint64_t seed = 1;  ///< of the random order
};

/// "forward", "reverse", "deep", "random" or "random:SEED"; throws std::invalid_argument on anything else.
Schedule parse_schedule(const std::string& text);
std::string str(const Schedule& schedule);

/// The schedule of the launches that follow, of this OS thread. It starts as ISKRA_SIM_SCHEDULE says, or
/// forward.
Schedule schedule();
void set_schedule(const Schedule& schedule);

}  // namespace iskra::sim
