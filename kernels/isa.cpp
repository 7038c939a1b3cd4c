#include <cstdlib>
#include <string_view>

#include <oneapi/dnnl/dnnl.h>

#include <iskra/kernels/check.h>
#include <iskra/kernels/isa.h>

namespace iskra::kernels {
namespace {

dnnl_cpu_isa_t onednn_isa(Isa level) {
  switch (level) {
    case Isa::v2:
      return dnnl_cpu_isa_sse41;
    case Isa::v3:
      return dnnl_cpu_isa_avx2;
    default:
      return dnnl_cpu_isa_avx512_core_bf16;
  }
}

Isa wanted_isa(const char* asked) {
  if (asked == nullptr || *asked == '\0') return detected_isa();
  for (Isa level : {Isa::v2, Isa::v3, Isa::v4}) {
    if (std::string_view(asked) != name_of(level)) continue;
    ISKRA_CHECK(level <= detected_isa(), "ISKRA_CPU=", asked, ": this machine offers only up to ",
                name_of(detected_isa()), "; unset ISKRA_CPU or ask for a lower level");
    return level;
  }
  throw Error(text("ISKRA_CPU=", asked, ": unknown level; use v2, v3 or v4, or unset it"));
}

Isa choose_isa() {
  const char* asked = std::getenv("ISKRA_CPU");
  Isa level = wanted_isa(asked);
  // oneDNN takes a cap only before it makes its first primitive. Without ISKRA_CPU a late cap is no error:
  // somebody else in this process may use oneDNN too.
  bool capped = dnnl_set_max_cpu_isa(onednn_isa(level)) == dnnl_success;
  ISKRA_CHECK(
      capped || level == detected_isa(), "ISKRA_CPU=", asked,
      ": oneDNN is already in use and cannot be capped any more; set ISKRA_CPU before the program starts");
  return level;
}

}  // namespace

Isa detected_isa() {
  static const Isa level = [] {
    __builtin_cpu_init();
    ISKRA_CHECK(__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt"),
                "iskra needs an x86-64-v2 CPU (SSE4.2, POPCNT); this one lacks them");
    bool v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
              __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
              __builtin_cpu_supports("f16c") && __builtin_cpu_supports("lzcnt") &&
              __builtin_cpu_supports("movbe");
    bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
              __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
              __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bf16");
    return v4 ? Isa::v4 : v3 ? Isa::v3 : Isa::v2;
  }();
  return level;
}

Isa isa() {
  static const Isa level = choose_isa();
  return level;
}

bool onednn_is_capped() {
  Isa level = isa();  // first: asking oneDNN anything ends its readiness to be capped
  return dnnl_get_effective_cpu_isa() == onednn_isa(level);
}

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::v2:
      return "v2";
    case Isa::v3:
      return "v3";
    default:
      return "v4";
  }
}

VendorInfo vendor_info() {
  isa();  // the cap, if any, is set by now
  static const std::string version =
      text(dnnl_version()->major, ".", dnnl_version()->minor, ".", dnnl_version()->patch);
  const char* name = "unknown";
  switch (dnnl_get_effective_cpu_isa()) {
    case dnnl_cpu_isa_sse41:
      name = "sse41";
      break;
    case dnnl_cpu_isa_avx:
      name = "avx";
      break;
    case dnnl_cpu_isa_avx2:
      name = "avx2";
      break;
    case dnnl_cpu_isa_avx2_vnni:
      name = "avx2_vnni";
      break;
    case dnnl_cpu_isa_avx512_core:
      name = "avx512_core";
      break;
    case dnnl_cpu_isa_avx512_core_vnni:
      name = "avx512_core_vnni";
      break;
    case dnnl_cpu_isa_avx512_core_bf16:
      name = "avx512_core_bf16";
      break;
    case dnnl_cpu_isa_avx512_core_amx:
      name = "avx512_core_amx";
      break;
    default:
      break;
  }
  return {version.c_str(), name};
}

}  // namespace iskra::kernels
