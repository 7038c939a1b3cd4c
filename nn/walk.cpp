#include <iskra/nn/walk.h>

namespace iskra::nn {
namespace {

class Walk final : public Fields {
 public:
  Walk(const Visitor& visitor, std::string prefix) : visitor_(visitor), prefix_(std::move(prefix)) {}

 private:
  void parameter_(std::string_view name, Tensor& parameter) override {
    if (visitor_.on_tensor && parameter.defined()) visitor_.on_tensor(full(name), parameter, true);
  }
  void buffer_(std::string_view name, Tensor& state) override {
    if (visitor_.on_tensor && state.defined()) visitor_.on_tensor(full(name), state, false);
  }
  void child_(std::string_view name, Module& child) override {
    std::string path = full(name);
    if (visitor_.on_module) visitor_.on_module(path, child);
    Walk below(visitor_, path + ".");
    child.fields(below);
  }
  std::string full(std::string_view name) const { return prefix_ + std::string(name); }

  const Visitor& visitor_;
  std::string prefix_;
};

// The classic two-pointer match: on a mismatch the last star takes one character more.
bool glob(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

void walk(Module& root, const Visitor& visitor) {
  Walk all(visitor, "");
  root.fields(all);
}

bool matches(const std::string& pattern, const std::string& name) {
  return glob(pattern, name) || glob(pattern + ".*", name);
}

}  // namespace iskra::nn
