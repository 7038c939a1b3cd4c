// Faults that arrive as signals: a fiber's stack that overflows, and a thread that spins for ever.
#pragma once

#include <string>

namespace iskra::sim {

/// Once for the program, and once for each OS thread that launches; cheap when done already.
void install_traps();
/// Called in the signal's handler when host code accesses memory that it cannot: may say what that was and
/// end the program. If it returns, the fault is nobody's.
using FaultExplainer = void (*)(const void* address, const void* code_address);
void explain_faults_by(FaultExplainer explainer);
/// "gemm.cu:120 in function", by addr2line; the raw address where that does not know.
std::string source_line_of(const void* code_address);
/// Seconds without any progress after which a launch is said to spin; ISKRA_SIM_PATIENCE, or 10 (60 under
/// sanitizers).
double patience();

}  // namespace iskra::sim
