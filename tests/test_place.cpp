// ISKRA_TEST_DEVICE=cuda: the tests of this program make their tensors on the CUDA device.
#include <cstdlib>
#include <optional>

#include <iskra/core/device.h>

namespace {

struct TestPlace {
  TestPlace() {
    const char* name = std::getenv("ISKRA_TEST_DEVICE");
    if (name != nullptr) scope.emplace(iskra::Device::parse(name));
  }
  std::optional<iskra::DeviceScope> scope;
};

const TestPlace place;

}  // namespace
