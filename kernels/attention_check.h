// What attention demands of its operands, on both devices.
#pragma once

#include <iskra/kernels/kernels.h>

namespace iskra::kernels {

/// Throw, naming `op`, unless everything is as kernels.h says.
void check_attention(const Attention& at, const View& q, const View& k, const View& v, const View& o,
                     const View& lse, const char* op);
void check_attention_backward(const Attention& at, const View& q, const View& k, const View& v, const View& o,
                              const View& lse, const View& d_o, const View& dq, const View& dk,
                              const View& dv);

}  // namespace iskra::kernels
