#include <iskra/zoo/app/waiting.h>

#include <unistd.h>

#include <cstdlib>

namespace iskra::zoo {

void settle_waiting(char** argv) {
  if (std::getenv("OMP_WAIT_POLICY") != nullptr || std::getenv("GOMP_SPINCOUNT") != nullptr) return;
  if (setenv("GOMP_SPINCOUNT", "200", 1) == 0) execv("/proc/self/exe", argv);
}

std::string waiting_text() {
  const char* policy = std::getenv("OMP_WAIT_POLICY");
  const char* rounds = std::getenv("GOMP_SPINCOUNT");
  if (rounds != nullptr) return "spin " + std::string(rounds) + ", then sleep";
  return policy != nullptr ? policy : "OpenMP's default";
}

}  // namespace iskra::zoo
