// How products treat subnormal numbers.
#pragma once

#include <xmmintrin.h>

namespace iskra::kernels {

/// While it lives, f32 arithmetic of this thread takes subnormal numbers (below 1.2e-38) for zero. To a sum
/// of products they add nothing that its rounding leaves standing, but on Intel's processors each costs some
/// 150 cycles; instructions for bf16 never compute with them.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushToZero | kDenormalsAreZero); }
  ~FlushSubnormals() { _mm_setcsr(before_); }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  static constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  unsigned before_;
};

}  // namespace iskra::kernels
