#include <iskra/zoo/train/strategy.h>

#include <charconv>

#include <iskra/kernels/check.h>

namespace iskra::zoo {

namespace {

bool below(const std::string& name, const std::string& prefix) {
  return name.compare(0, prefix.size(), prefix) == 0 &&
         (name.size() == prefix.size() || name[prefix.size()] == '.');
}

bool below_any(const std::string& name, const std::vector<std::string>& prefixes) {
  for (const std::string& p : prefixes) {
    if (below(name, p)) return true;
  }
  return false;
}

}  // namespace

Strategy parse_strategy(const std::string& given) {
  if (given == "scratch") return {Strategy::scratch};
  if (given == "full") return {Strategy::full};
  if (given == "head") return {Strategy::head};
  if (given.compare(0, 5, "last:") == 0) {
    int64_t k = 0;
    const char* end = given.data() + given.size();
    auto [at, error] = std::from_chars(given.data() + 5, end, k);
    if (error == std::errc() && at == end && k >= 1) return {Strategy::last, k};
  }
  throw Error(text("strategy: '", given, "' is unknown; choose full, head, last:K with K >= 1, or scratch"));
}

void apply_strategy(nn::Module& model, const Strategy& strategy, const std::vector<std::string>& blocks,
                    const std::string& head) {
  if (strategy.kind == Strategy::scratch || strategy.kind == Strategy::full) return;
  ISKRA_CHECK(strategy.kind == Strategy::head || strategy.blocks <= static_cast<int64_t>(blocks.size()),
              "strategy: last:", strategy.blocks, " asks for more than the ", blocks.size(),
              " blocks of this model; use strategy full");
  std::vector<nn::Named> parameters = model.parameters();
  model.freeze("*");
  model.unfreeze(head);
  if (strategy.kind == Strategy::head) return;
  auto first = blocks.end() - strategy.blocks;
  for (auto block = first; block != blocks.end(); ++block) model.unfreeze(*block);
  bool after_last = false;
  for (nn::Named& p : parameters) {
    bool in_block = below_any(p.name, blocks);
    after_last = after_last || below(p.name, blocks.back());
    if (after_last && !in_block) model.unfreeze(p.name);
  }
}

}  // namespace iskra::zoo
