// How idle OpenMP threads wait.
#pragma once

#include <string>

namespace iskra::zoo {

/// libgomp reads its settings when it is loaded, before main: a program that wants others starts itself once
/// more. Its default, spinning for milliseconds, costs a small model a quarter of its speed, and most of
/// it on a busy machine; 200 rounds of spinning cover the gap between two kernels. Does nothing when the user
/// chose otherwise (OMP_WAIT_POLICY or GOMP_SPINCOUNT), and returns when the program could not be started.
void settle_waiting(char** argv);

/// "spin 200, then sleep", "passive", … for `iskra doctor`.
std::string waiting_text();

}  // namespace iskra::zoo
