// Instruction-set levels of the CPU. Hot loops (*.isa.cpp) are compiled once per level, in a namespace of
// their own, and chosen once at start.
#pragma once

namespace iskra::kernels {

/// x86-64-v2 (SSE4.2), x86-64-v3 (AVX2, FMA), x86-64-v4 with AVX512-BF16.
enum class Isa { v2, v3, v4 };

/// The best level of this machine.
Isa detected_isa();
/// The level in use: the detected one, or what ISKRA_CPU=v2|v3|v4 asks for. Throws when it asks for more than
/// the machine has, or for an unknown name. oneDNN is capped to the same level.
Isa isa();
const char* name_of(Isa isa);
/// Whether oneDNN keeps to isa(). False only when something else in the process used oneDNN first.
bool onednn_is_capped();

/// oneDNN's version ("2.6.3") and the instruction set that it may use here ("avx512_core_bf16").
struct VendorInfo {
  const char* version;
  const char* isa;
};
VendorInfo vendor_info();

/// Declares the three tables that a *.isa.cpp file defines, one in the namespace of each level.
#define ISKRA_ISA_TABLES(Table, name) \
  namespace v2 {                      \
  extern const Table name;            \
  }                                   \
  namespace v3 {                      \
  extern const Table name;            \
  }                                   \
  namespace v4 {                      \
  extern const Table name;            \
  }

/// One of three tables by the level in use: by_isa(v2::name, v3::name, v4::name).
template <class Table>
const Table& by_isa(const Table& v2, const Table& v3, const Table& v4) {
  switch (isa()) {
    case Isa::v2:
      return v2;
    case Isa::v3:
      return v3;
    default:
      return v4;
  }
}

}  // namespace iskra::kernels
