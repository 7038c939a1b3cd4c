// The one door to oneDNN: f32 and bf16 products and convolutions as held programs, each for one shape and one
// thread. Creating one costs a fraction of a millisecond, so they are kept in a
// map for the life of the process. All functions may be called from several threads at once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/gemm.h>

namespace iskra::kernels::onednn {

/// A compiled operation of one shape; immutable, shared by threads.
class Program;
using ProgramPtr = std::shared_ptr<const Program>;

/// Bytes of temporary memory one thread needs to run it.
size_t scratch_bytes(const Program& program);
/// oneDNN's name of the implementation it chose, e.g. "brg:avx512_core".
const char* implementation(const Program& program);

/// A product without residual and preactivation; of activations none and relu only. The bias is f32. Runs on
/// {a, b, [bias], c}. Null when oneDNN would only offer its reference implementation, or rejects the strides
/// or types.
ProgramPtr product(const ProductSpec& spec);

enum class Direction : uint8_t { forward, backward_data, backward_weight };
struct ConvSpec {
  ConvShape shape = {};
  Direction direction = Direction::forward;
  DType in = DType::f32;            ///< of what is read
  DType out = DType::f32;           ///< of what is written: `in`, or f32
  bool bias = false, relu = false;  ///< forward only; the bias is f32
};
/// Activations (N,H,W,C) dense, weights in a layout of oneDNN's choice. Runs on
/// forward {x, w, [bias], y}, backward_data {dy, w, dx}, backward_weight {x, dy, dw}. Null as above.
ProgramPtr convolution(const ConvSpec& spec);

/// Bytes of the weights in the layout a convolution's program wants, padding included (a multiple of 64).
size_t weight_bytes(const Program& convolution);
bool same_weights(const Program& a, const Program& b);
/// Converts between dense (K,C/groups,R,S) weights and the layout of the convolution's program: towards it
/// for forward and backward_data, back from it for backward_weight. In parts, which may run side by side,
/// each on {from, to} as a whole and without temporary memory.
const std::vector<ProgramPtr>& weight_reorders(const Program& convolution);

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
