// N ranks as threads of one process: for tests, and for several devices in one process.
#pragma once

#include <functional>

#include <iskra/dist/transport.h>

namespace iskra::dist {

/// Runs body(transport) on `ranks` threads and waits for all. The ranks share the caller's thread budget.
/// When a body throws, the others are aborted and the first failure is rethrown.
void run_ranks(int ranks, const std::function<void(Transport&)>& body);

}  // namespace iskra::dist
