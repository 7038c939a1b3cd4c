// Errors: one exception type for the whole library, and the checks that throw it.
#pragma once

#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>

namespace iskra {

/// What every failed check throws. `what()` is one line: the operation, both values, how to mend it and,
/// inside of an op, "(at file:line)" of the op's caller. `where()` is the "file:line" of the check, for
/// developers.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, std::source_location at = std::source_location::current());
  const std::string& where() const { return where_; }

 private:
  std::string where_;
};

namespace detail {
/// The op that the user called on this thread; a null op outside of all. Errors name it.
struct Call {
  const char* op = nullptr;
  const char* file = nullptr;
  uint32_t line = 0;
};
Call& current_call();

inline std::string to_text(const std::string& s) { return s; }
inline std::string to_text(const char* s) { return s; }
inline std::string to_text(bool b) { return b ? "true" : "false"; }
template <class T>
  requires std::is_integral_v<T>
std::string to_text(T v) {
  return std::to_string(v);
}
/// The shortest of six digits or fewer, as %g: 0.5, 1e-05, inf.
std::string to_text(double v);
template <class T>
  requires requires(const T& t) { t.str(); }
std::string to_text(const T& t) {
  return t.str();
}
}  // namespace detail

/// Joins its arguments into one text: text("conv2d: input has ", 3, " channels").
template <class... Ts>
std::string text(const Ts&... parts) {
  std::string out;
  ((out += detail::to_text(parts)), ...);
  return out;
}

}  // namespace iskra

/// Throws iskra::Error with the joined message unless `condition` holds.
#define ISKRA_CHECK(condition, ...)                                     \
  do {                                                                  \
    if (!(condition)) throw ::iskra::Error(::iskra::text(__VA_ARGS__)); \
  } while (false)
