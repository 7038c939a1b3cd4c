// Launching kernels in tests of the emulator, in all orders that it knows.
#pragma once

#include <functional>
#include <source_location>
#include <string>
#include <vector>

#include <iskra/kernels/sim/schedule.h>
#include <iskra/kernels/sim/sim.h>

namespace iskra::testing {

inline const std::vector<sim::Schedule>& all_schedules() {
  static const std::vector<sim::Schedule> schedules = {{sim::Order::forward, 1}, {sim::Order::reverse, 1},
                                                       {sim::Order::deep, 1},    {sim::Order::random, 1},
                                                       {sim::Order::random, 2},  {sim::Order::random, 3}};
  return schedules;
}

/// Calls f() under each schedule, and puts the schedule's name into the text of whatever fails.
inline void in_all_orders(const std::function<void()>& f) {
  for (const sim::Schedule& schedule : all_schedules()) {
    SCOPED_TRACE(sim::str(schedule));
    sim::set_schedule(schedule);
    f();
  }
  sim::set_schedule({});
}

/// In how many schedules f() gives false: a wrong kernel is caught if it is at least one.
inline int wrong_orders(const std::function<bool()>& f) {
  int wrong = 0;
  for (const sim::Schedule& schedule : all_schedules()) {
    sim::set_schedule(schedule);
    if (!f()) ++wrong;
  }
  sim::set_schedule({});
  return wrong;
}

/// The text of the fault that f() ends with; "no fault" without one.
inline std::string fault_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const sim::Fault& fault) {
    return fault.what();
  }
  return "no fault";
}

/// Runs a kernel at once: go<kernel>({grid, block}, arguments...).
template <auto kernel, class... Arguments>
void go(const sim::LaunchShape& shape, Arguments... arguments) {
  sim::run_kernel<kernel>(shape, arguments...);
}

}  // namespace iskra::testing
