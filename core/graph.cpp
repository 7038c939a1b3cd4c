#include <iskra/core/graph.h>

#include <unordered_map>
#include <unordered_set>

#include <iskra/core/grad_meta.h>

namespace iskra {
namespace {

using detail::GradMeta;
using detail::Node;
using detail::Storage;

// Everything that the roots were computed from, each once, in the order of a walk from the first root.
std::vector<const GradMeta*> reached(const std::vector<Tensor>& roots) {
  std::vector<const GradMeta*> order, waiting;
  std::unordered_set<const GradMeta*> seen;
  auto visit = [&](const GradMeta* meta) {
    if (meta != nullptr && seen.insert(meta).second) waiting.push_back(meta);
  };
  for (const Tensor& root : roots) {
    if (root.defined()) visit(root.impl()->meta.get());
    while (!waiting.empty()) {
      const GradMeta* meta = waiting.back();
      waiting.pop_back();
      order.push_back(meta);
      if (!meta->node) continue;
      const auto& inputs = meta->node->inputs;
      for (size_t i = inputs.size(); i-- > 0;) visit(inputs[i].get());
    }
  }
  return order;
}

size_t bytes_of(const Node& node) {
  std::unordered_set<const Storage*> counted;
  size_t bytes = 0;
  for (const auto& value : node.saved) {
    if (counted.insert(value.storage).second) bytes += value.storage->bytes;
  }
  return bytes;
}

std::string quoted(const std::string& name) {
  std::string out;
  for (char c : name) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

}  // namespace

SavedBytes saved_bytes(const std::vector<Tensor>& roots) {
  const std::vector<const GradMeta*> order = reached(roots);
  std::unordered_set<const Storage*> leaves, counted;
  for (const GradMeta* meta : order) {
    auto owner = meta->owner.lock();
    if (!meta->node && owner) leaves.insert(owner->storage.get());
  }
  SavedBytes total;
  for (const GradMeta* meta : order) {
    if (!meta->node) continue;
    for (const auto& value : meta->node->saved) {
      if (!counted.insert(value.storage).second) continue;
      (leaves.count(value.storage) > 0 ? total.leaves : total.activations) += value.storage->bytes;
    }
  }
  return total;
}

SavedBytes saved_bytes(const Tensor& root) { return saved_bytes(std::vector<Tensor>{root}); }

std::string to_dot(const Tensor& root, const std::vector<std::pair<std::string, Tensor>>& names,
                   Caller caller) {
  detail::OpScope scope("to_dot", caller);
  ISKRA_CHECK(root.requires_grad(), "to_dot: this Tensor ", root.str(),
              " has no graph; it depends on nothing that requires a gradient");
  const std::vector<const GradMeta*> order = reached({root});
  std::unordered_map<const GradMeta*, size_t> number;
  std::unordered_map<const GradMeta*, std::string> known;
  for (size_t i = 0; i < order.size(); ++i) number[order[i]] = i;
  for (const auto& [name, tensor] : names) {
    if (tensor.defined() && tensor.impl()->meta) known[tensor.impl()->meta.get()] = quoted(name);
  }
  std::string out = "digraph tape {\n  node [shape=box];\n";
  for (const GradMeta* meta : order) {
    const size_t at = number[meta];
    const Node* node = meta->node.get();
    auto name = known.find(meta);
    std::string label = node != nullptr ? quoted(node->name) : name != known.end() ? name->second : "leaf";
    if (node != nullptr && name != known.end()) label += " " + name->second;
    label += text("\\n", name_of(meta->dtype), " ", meta->shape);
    if (node != nullptr && !node->backward) label += "\\nused";
    if (node != nullptr && node->backward) label += text("\\nsaves ", bytes_of(*node), " bytes");
    out += text("  t", at, " [label=\"", label, "\"", node != nullptr ? "" : " shape=ellipse", "];\n");
    if (node == nullptr) continue;
    for (const auto& input : node->inputs) {
      if (input) out += text("  t", number[input.get()], " -> t", at, ";\n");
    }
  }
  return out + "}\n";
}

}  // namespace iskra
