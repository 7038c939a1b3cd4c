// What the files that speak to oneDNN share; nothing else includes its headers.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

#include <iskra/kernels/check.h>
#include <iskra/kernels/onednn.h>

namespace iskra::kernels::onednn {

using Tag = dnnl::memory::format_tag;
using Desc = dnnl::memory::desc;

inline constexpr int kMaxArguments = 4;

/// oneDNN on the CPU, capped to our ISA level.
const dnnl::engine& engine();
dnnl::memory::data_type type_of(DType type);
/// f32, and bf16 where the machine multiplies it.
bool supports(DType type);

// oneDNN 2.6 takes its thread number from its OpenMP runtime, both when it makes a program and when it runs
// one. That runtime is libgomp, and ours may be another (clang's libomp), so both are told, for this thread
// and moment.
class OneThread {
 public:
  OneThread();
  ~OneThread();
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  int ours_, gomp_;
};

class Program {
 public:
  dnnl::primitive primitive;
  std::string implementation;
  std::array<int, kMaxArguments> names{};  // DNNL_ARG_…, in the order of Runner's pointers
  std::array<Desc, kMaxArguments> layouts;
  int arguments = 0;
  Desc scratch;
  Desc weights;                      // convolutions: the layout of oneDNN's choice …
  std::vector<ProgramPtr> reorders;  // … and the way between it and the plain one, in parts

  void add(int name, const Desc& layout) {
    names[static_cast<size_t>(arguments)] = name;
    layouts[static_cast<size_t>(arguments++)] = layout;
  }
};

dnnl::primitive_attr attributes();

template <class PrimitiveDesc>
std::shared_ptr<Program> start(const PrimitiveDesc& pd) {
  auto program = std::make_shared<Program>();
  program->implementation = pd.impl_info_str();
  program->scratch = pd.scratchpad_desc();
  return program;
}

ProgramPtr make_reorder(const Desc& from, const Desc& to);

using Key = std::array<int64_t, 24>;

/// The program of this key, made by `make` when it is asked for the first time. A refusal is remembered too.
template <class F>
ProgramPtr held(const Key& key, F&& make) {
  constexpr size_t kMaxPrograms = 4096;  // far above what a model needs; a guard against endlessly new shapes
  static auto& mutex = *new std::mutex;
  static auto& programs = *new std::map<Key, ProgramPtr>;
  std::lock_guard lock(mutex);
  auto at = programs.find(key);
  if (at != programs.end()) return at->second;
  OneThread one_thread;
  ProgramPtr made;
  try {
    made = make();
  } catch (const dnnl::error& e) {
    const bool refused = e.status == dnnl_unimplemented || e.status == dnnl_invalid_arguments;
    ISKRA_CHECK(refused, "oneDNN: cannot make a program: ", e.what());
  }
  if (made && made->implementation.find("ref") != std::string::npos)
    made = nullptr;  // slower than ours by far
  if (programs.size() >= kMaxPrograms) programs.clear();
  programs[key] = made;
  return made;
}

}  // namespace iskra::kernels::onednn
