// Launching a kernel on emulated threads, and the list of all kernels that a program can launch.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <iskra/kernels/sim/fault.h>
#include <iskra/kernels/sim/vector_types.h>

namespace iskra::sim {

struct Thread;

/// One kernel of the program (an instance of a template is one): made before main() by whatever might launch
/// it, so that what was never executed is known as well.
struct KernelRecord {
  std::string name;
  std::atomic<uint64_t> launches{0};
};
/// All of them, by name.
std::vector<const KernelRecord*> kernel_records();
/// Writes "launches name", a line each, to a new file in `folder`. ISKRA_SIM_COVERAGE=FOLDER does that at
/// exit.
void write_coverage(const std::string& folder);

/// The shape of a launch.
struct LaunchShape {
  dim3 grid = 1, block = 1;
  size_t dynamic_shared = 0;  ///< bytes
  dim3 cluster = 1;
  bool cooperative = false;   ///< all blocks run at once, for grid barriers
  Site at = Site::current();  ///< where it was written
};

/// A launch, ready to run.
struct Launch {
  KernelRecord* kernel;
  LaunchShape shape;
  void (*call)(const void* arguments);  ///< runs the kernel as the current thread
  const void* arguments;
};
/// Why a GPU would refuse the shape; empty when it would not.
std::string refusal(const LaunchShape& shape);
/// Runs it to its end on this OS thread; throws Fault.
void run(const Launch& launch);

/// What a GPU can hold; those of sm_90.
inline constexpr size_t kMaxDynamicShared = 227 << 10;
inline constexpr size_t kMaxStaticShared = 48 << 10;
inline constexpr unsigned kMaxThreads = 1024;
inline constexpr unsigned kMaxCluster = 8;

/// "iskra::softmax_rows<float>" of the mangled name of KernelOf<softmax_rows<float>>.
std::string kernel_name(const char* mangled);
KernelRecord& register_kernel(std::string name);

template <auto kernel>
struct KernelOf {
  static inline KernelRecord& record = register_kernel(kernel_name(typeid(KernelOf).name()));
};

/// The parameters of a kernel, and its call with them.
template <class Kernel>
struct ParametersOf;
template <class... Parameters>
struct ParametersOf<void (*)(Parameters...)> {
  using Held = std::tuple<std::remove_const_t<Parameters>...>;
};
template <auto kernel>
struct CallOf {
  using Held = typename ParametersOf<decltype(kernel)>::Held;
  static void call(const void* arguments) { std::apply(kernel, *static_cast<const Held*>(arguments)); }
};

/// Runs the kernel over the grid, now.
template <auto kernel, class... Arguments>
void run_kernel(const LaunchShape& shape, Arguments&&... arguments) {
  const typename CallOf<kernel>::Held held{std::forward<Arguments>(arguments)...};
  run({&KernelOf<kernel>::record, shape, &CallOf<kernel>::call, &held});
}

}  // namespace iskra::sim
