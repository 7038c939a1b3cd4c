// The one door to oneDNN (nothing else includes its headers): f32 products and convolutions as held programs,
// each for one shape and one thread. Creating one costs a fraction of a millisecond, so they are kept in a
// map for the life of the process. All functions may be called from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/gemm.isa.h>

namespace iskra::kernels::onednn {

/// A compiled operation of one shape; immutable, shared by threads.
class Program;
using ProgramPtr = std::shared_ptr<const Program>;

/// Bytes of temporary memory one thread needs to run it.
size_t scratch_bytes(const Program& program);
/// oneDNN's name of the implementation it chose, e.g. "brg:avx512_core".
const char* implementation(const Program& program);

/// c (m,n) = beta * c + a (m,k) b (k,n) [+ bias (n)]; beta 0 or 1. Runs on {a, b, [bias], c}. Null when
/// oneDNN would only offer its reference implementation, or rejects the strides.
ProgramPtr product(const GemmShape& shape, bool bias, bool accumulate);

enum class Direction : uint8_t { forward, forward_bias, backward_data, backward_weight };
/// Activations (N,H,W,C) dense, weights in a layout of oneDNN's choice. Runs on
/// forward {x, w, y}, forward_bias {x, w, bias, y}, backward_data {dy, w, dx}, backward_weight {x, dy, dw}.
/// Null as above.
ProgramPtr convolution(const ConvShape& shape, Direction direction);

/// Floats of the weights in the layout a convolution's program wants, padding included.
int64_t weight_count(const Program& convolution);
bool same_weights(const Program& a, const Program& b);
/// Converts between dense (K,C/groups,R,S) weights and the layout of the convolution's program: towards it
/// for forward and backward_data, back from it for backward_weight. Runs on {from, to}; needs no temporary
/// memory.
const Program& weight_reorder(const Program& convolution);

/// A program bound to one thread's temporary memory; calls are cheap. Must be used by the thread that made
/// it.
class Runner {
 public:
  Runner(const Program& program, void* scratch);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;
  /// One pointer for each argument, in the order that the program's maker names.
  void operator()(std::initializer_list<const void*> arguments);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace iskra::kernels::onednn
