// The version of this build.
#pragma once

namespace iskra {

/// "0.1.0"
const char* version();

}  // namespace iskra
