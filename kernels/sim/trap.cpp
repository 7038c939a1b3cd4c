#include <iskra/kernels/sim/trap.h>

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <ucontext.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <thread>
#include <vector>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr int kSpinSignal = SIGURG;  // ignored by default: harmless should it arrive late

struct sigaction previous_fault;
std::atomic<FaultExplainer> fault_explainer{nullptr};

const void* code_address(void* context) {
  return reinterpret_cast<const void*>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
}

// A handler may leave for the launcher: the signals are not blocked (SA_NODEFER), and the alternate stack
// that it stands on is free again as soon as another is in use.
void on_memory_fault(int number, siginfo_t* info, void* context) {
  Thread* thread = Engine::running();
  if (thread != nullptr) {
    Engine& engine = Engine::of_this_thread();
    if (engine.in_guard_page(info->si_addr)) engine.fail_from_signal("stack overflow", code_address(context));
    char text[96];
    std::snprintf(text, sizeof text, "access to address %p, which is neither device nor shared memory",
                  info->si_addr);
    if (!kSanitized) engine.fail_from_signal(text, code_address(context));
  }
  FaultExplainer explain = fault_explainer.load();
  if (thread == nullptr && explain != nullptr) explain(info->si_addr, code_address(context));
  // Not ours: as if this handler did not exist.
  if ((previous_fault.sa_flags & SA_SIGINFO) != 0 && previous_fault.sa_sigaction != nullptr) {
    previous_fault.sa_sigaction(number, info, context);
    return;
  }
  signal(number, SIG_DFL);
}

void on_spin(int, siginfo_t*, void* context) {
  if (Engine::running() == nullptr) return;
  Engine::of_this_thread().fail_from_signal("the thread spins without end", code_address(context));
}

// --- the watch
// --------------------------------------------------------------------------------------------------

struct Watched {
  pthread_t thread;
  Engine* engine;
  uint64_t seen = 0;
  std::chrono::steady_clock::time_point since;
};

struct Watch {
  std::mutex mutex;
  std::vector<Watched> threads;
};
Watch& watch() {
  static auto* all = new Watch;
  return *all;
}

void look_for_spinning_threads() {
  for (;;) {
    std::this_thread::sleep_for(std::chrono::duration<double>(patience() / 8));
    Watch& all = watch();
    std::lock_guard lock(all.mutex);
    auto now = std::chrono::steady_clock::now();
    for (Watched& w : all.threads) {
      if (!w.engine->inside || w.engine->progress != w.seen) {
        w.seen = w.engine->progress;
        w.since = now;
      } else if (std::chrono::duration<double>(now - w.since).count() > patience()) {
        w.since = now;
        pthread_kill(w.thread, kSpinSignal);
      }
    }
  }
}

// Signals of a thread are handled on a stack of its own: its fibers may have none left.
struct ThreadTraps {
  ThreadTraps() {
    stack_t alternate{};
    alternate.ss_sp = memory.data();
    alternate.ss_size = memory.size();
    sigaltstack(&alternate, nullptr);
    Watch& all = watch();
    std::lock_guard lock(all.mutex);
    all.threads.push_back({pthread_self(), &Engine::of_this_thread(), 0, std::chrono::steady_clock::now()});
  }
  ~ThreadTraps() {
    Watch& all = watch();
    std::lock_guard lock(all.mutex);
    std::erase_if(all.threads, [](const Watched& w) { return pthread_equal(w.thread, pthread_self()) != 0; });
    stack_t none{};
    none.ss_flags = SS_DISABLE;
    sigaltstack(&none, nullptr);
  }
  ThreadTraps(const ThreadTraps&) = delete;
  ThreadTraps& operator=(const ThreadTraps&) = delete;

  std::vector<char> memory = std::vector<char>(size_t{64} << 10);
};

void install_for_process() {
  struct sigaction fault{};
  fault.sa_sigaction = on_memory_fault;
  fault.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
  sigaction(SIGSEGV, &fault, &previous_fault);
  struct sigaction spin{};
  spin.sa_sigaction = on_spin;
  spin.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART;
  sigaction(kSpinSignal, &spin, nullptr);
  std::thread(look_for_spinning_threads).detach();
}

}  // namespace

double patience() {
  static const double seconds = [] {
    const char* text = std::getenv("ISKRA_SIM_PATIENCE");
    double asked = text == nullptr ? 0 : std::atof(text);
    return asked > 0 ? asked : kSanitized ? 60.0 : 10.0;
  }();
  return seconds;
}

void install_traps() {
  Engine::of_this_thread();  // made before, and so destroyed after, the watch's entry
  static std::once_flag once;
  std::call_once(once, install_for_process);
  thread_local ThreadTraps traps;
  (void)traps;
}

void explain_faults_by(FaultExplainer explainer) { fault_explainer = explainer; }

std::string source_line_of(const void* address) {
  char text[512];
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
    std::snprintf(text, sizeof text, "address %p", address);
    return text;
  }
  // Position-independent programs are loaded at a base that addr2line knows nothing of.
  auto offset = reinterpret_cast<uintptr_t>(address) - reinterpret_cast<uintptr_t>(info.dli_fbase);
  std::snprintf(text, sizeof text, "addr2line -e '%s' -s 0x%lx 2>/dev/null", info.dli_fname,
                static_cast<unsigned long>(offset));
  std::string line;
  if (FILE* pipe = popen(text, "r"); pipe != nullptr) {
    if (std::fgets(text, sizeof text, pipe) != nullptr) line = text;
    pclose(pipe);
  }
  while (!line.empty() && line.back() == '\n') line.pop_back();
  if (size_t note = line.find(" (discriminator"); note != std::string::npos) line.resize(note);
  if (!line.empty() && line[0] != '?') return line;
  std::snprintf(text, sizeof text, "%s+0x%lx", info.dli_fname, static_cast<unsigned long>(offset));
  return text;
}

}  // namespace iskra::sim
