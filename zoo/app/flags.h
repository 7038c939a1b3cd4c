// The flags of one command. CLI11 stands behind this header and is compiled once, in flags.cpp; what values
// mean, and every message, is ours.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace iskra::zoo {

/// The command line is wrong: exit code 2.
class UsageError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Numbers as people type them: "64", "60k", "1.5M", "2G" (powers of 1000), "4Ki", "1Mi", "2Gi" (of 1024).
/// Throw UsageError naming `flag`, the text and the range.
int64_t parse_integer(const std::string& flag, const std::string& text, double low, double high);
double parse_real(const std::string& flag, const std::string& text, double low, double high);

class Flags {
 public:
  Flags(const std::string& command, const std::string& summary);
  ~Flags();
  Flags(const Flags&) = delete;
  Flags& operator=(const Flags&) = delete;

  // Each adds "--name" ("per_class" becomes --per-class); the present value is the default that --help shows.
  // The variables must live until parse().
  void add(const std::string& name, std::string& value, const std::string& help,
           const std::string& choices = "");
  void add(const std::string& name, int64_t& value, const std::string& help, double low, double high);
  void add(const std::string& name, double& value, const std::string& help, double low, double high);
  /// A switch: --name sets it.
  void add(const std::string& name, bool& value, const std::string& help);
  /// Comma-separated numbers.
  void add(const std::string& name, std::vector<int64_t>& values, const std::string& help, double low,
           double high);
  /// An argument without a flag; all of them must be given.
  void add_argument(const std::string& name, std::string& value, const std::string& help);
  /// The flag must be given.
  void require(const std::string& name);
  /// More text at the end of --help.
  void footer(const std::string& text);

  /// Sets the variables. Returns false after printing --help; throws UsageError.
  bool parse(const std::vector<std::string>& arguments);
  bool given(const std::string& name) const;

  static std::string flag_name(const std::string& name);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace iskra::zoo
