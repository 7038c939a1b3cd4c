// Measures what it is told to, for a driver that measures something else in between (bench/op_peers.py).
#pragma once

#include <iosfwd>

namespace iskra::bench {

/// Reads one JSON object a line and answers each with one:
///   {"rows": true}                                    {"rows": [...], "threads": n, "isa": "..."}
///   {"peak": "copy", "bytes": n}                      {"per_s": bytes per second}
///   {"peak": "product", "dtype": "f32"}               {"per_s": operations per second}
///   {"row": "matmul/mini", "dtype": "f32", "mode": "forward"|"step", "side": "iskra"|"onednn", "seconds": s}
///       {"seconds_median": s, "seconds_best": s, "samples": n, "flops": n, "bytes": n}, or {} when that side
///       has no such thing
/// and a request that cannot be met with {"error": "..."}.
void serve(std::istream& in, std::ostream& out);

}  // namespace iskra::bench
