#include <iskra/kernels/check.h>

namespace iskra {
namespace {

std::string with_caller(const std::string& message) {
  const detail::Call& call = detail::current_call();
  if (call.op == nullptr) return message;
  const std::string path = call.file;
  const std::string file = path.substr(path.rfind('/') + 1);  // npos + 1 is 0: no folder, all of it
  // An op made of others says which one the user wrote.
  const std::string in = message.rfind(text(call.op, ": "), 0) == 0 ? "" : text("in ", call.op, " ");
  return text(message, " (", in, "at ", file, ":", call.line, ")");
}

}  // namespace

Error::Error(const std::string& message, std::source_location at)
    : std::runtime_error(with_caller(message)), where_(text(at.file_name(), ":", at.line())) {}

detail::Call& detail::current_call() {
  thread_local Call call;
  return call;
}

}  // namespace iskra
