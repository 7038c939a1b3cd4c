#include <iskra/kernels/sim/launch.h>

#include <cxxabi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fstream>
#include <mutex>

#include <iskra/kernels/sim/engine.h>

namespace iskra::sim {
namespace {

// Records are made before main() by other files' initialisers: the list is made by the first of them.
struct Registry {
  std::mutex mutex;
  std::deque<KernelRecord> records;
};
Registry& registry() {
  static auto* list = new Registry;  // never destroyed: used by whatever runs at exit
  return *list;
}

void write_at_exit() {
  if (const char* folder = std::getenv("ISKRA_SIM_COVERAGE"); folder != nullptr) write_coverage(folder);
}

std::string str(const dim3& d) {
  return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")";
}

}  // namespace

// What cudaLaunchKernelExC would refuse.
std::string refusal(const LaunchShape& s) {
  uint64_t threads = uint64_t{s.block.x} * s.block.y * s.block.z;
  if (threads == 0 || threads > kMaxThreads || s.block.x > 1024 || s.block.y > 1024 || s.block.z > 64) {
    return "block " + str(s.block) + ": want 1 to 1024 threads, at most (1024, 1024, 64)";
  }
  if (s.grid.x == 0 || s.grid.y == 0 || s.grid.z == 0 || s.grid.x > 0x7fffffffU || s.grid.y > 65535 ||
      s.grid.z > 65535) {
    return "grid " + str(s.grid) + ": want at least one block, at most (2147483647, 65535, 65535)";
  }
  if (s.dynamic_shared > kMaxDynamicShared) {
    return std::to_string(s.dynamic_shared) + " bytes of dynamic shared memory; a block has " +
           std::to_string(kMaxDynamicShared);
  }
  uint64_t blocks = uint64_t{s.cluster.x} * s.cluster.y * s.cluster.z;
  if (blocks == 0 || blocks > kMaxCluster || s.grid.x % s.cluster.x != 0 || s.grid.y % s.cluster.y != 0 ||
      s.grid.z % s.cluster.z != 0) {
    return "cluster " + str(s.cluster) + " of grid " + str(s.grid) +
           ": want at most 8 blocks, in whole clusters";
  }
  return "";
}

KernelRecord& register_kernel(std::string name) {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  if (all.records.empty()) std::atexit(write_at_exit);
  KernelRecord& record = all.records.emplace_back();
  record.name = std::move(name);
  return record;
}

std::vector<const KernelRecord*> kernel_records() {
  Registry& all = registry();
  std::lock_guard lock(all.mutex);
  std::vector<const KernelRecord*> list;
  for (const KernelRecord& record : all.records) list.push_back(&record);
  std::sort(list.begin(), list.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  return list;
}

void write_coverage(const std::string& folder) {
  // Numbers of processes come back: the time makes the name unique.
  auto now = std::chrono::steady_clock::now().time_since_epoch().count();
  std::ofstream out(folder + "/" + std::to_string(getpid()) + "-" + std::to_string(now) + ".txt");
  for (const KernelRecord* record : kernel_records())
    out << record->launches.load() << " " << record->name << "\n";
  out.close();
  if (!out) std::fprintf(stderr, "iskra sim: cannot write into ISKRA_SIM_COVERAGE=%s\n", folder.c_str());
}

// Compilers' own names of functions leave template arguments out; the mangled name has them all:
// iskra::sim::KernelOf<&(void space::kernel<float>(float*))>. Without the class around it, what it returns
// and takes:
std::string kernel_name(const char* mangled) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(mangled, nullptr, nullptr, &status);
  std::string name = status == 0 ? demangled : mangled;
  std::free(demangled);
  size_t begin = name.find("<&"), end = name.rfind('>');
  if (begin == std::string::npos || end == std::string::npos) return name;
  name = name.substr(begin + 2, end - begin - 2);
  if (name.starts_with('(') && name.ends_with(')')) name = name.substr(1, name.size() - 2);
  if (name.starts_with("void ")) name.erase(0, 5);
  if (!name.ends_with(')')) return name;
  int depth = 0;
  for (size_t i = name.size(); i > 0; --i) {  // the last pair of parentheses holds the parameters
    if (name[i - 1] == ')') ++depth;
    if (name[i - 1] == '(' && --depth == 0) return name.substr(0, i - 1);
  }
  return name;
}

void run(const Launch& launch) {
  if (std::string why = refusal(launch.shape); !why.empty()) {
    throw Fault("kernel " + launch.kernel->name + ": cannot launch " + why + "; launched at " +
                str(launch.shape.at));
  }
  Engine::of_this_thread().run(launch);
}

// --- fault.h
// ----------------------------------------------------------------------------------------------------

const char* file_of(const Site& at) {
  const char* slash = std::strrchr(at.file_name(), '/');
  return slash == nullptr ? at.file_name() : slash + 1;
}

std::string str(const Site& at) { return std::string(file_of(at)) + ":" + std::to_string(at.line()); }

bool same(const Site& a, const Site& b) {
  return a.line() == b.line() && a.column() == b.column() && std::string_view(a.file_name()) == b.file_name();
}

}  // namespace iskra::sim
