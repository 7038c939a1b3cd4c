#include <iskra/kernels/check.h>

#include <charconv>

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

std::string detail::to_text(double v) {
  char digits[32];  // six of them, a sign, a point and an exponent
  const auto end = std::to_chars(digits, digits + sizeof digits, v, std::chars_format::general, 6).ptr;
  return {digits, end};
}

detail::Call& detail::current_call() {
  thread_local Call call;
  return call;
}

}  // namespace iskra
