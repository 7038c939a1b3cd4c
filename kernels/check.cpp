#include <iskra/kernels/check.h>

namespace iskra {

Error::Error(const std::string& message, std::source_location at)
    : std::runtime_error(message), where_(text(at.file_name(), ":", at.line())) {}

}  // namespace iskra
