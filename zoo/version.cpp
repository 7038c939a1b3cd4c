#include <iskra/zoo/version.h>

namespace iskra {

const char* version() { return ISKRA_VERSION; }

}  // namespace iskra
