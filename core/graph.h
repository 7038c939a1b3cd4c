// The tape to look at: as a picture, and in bytes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra {

/// Memory that the graph of a tensor keeps until its backward pass; each block once, however many nodes keep
/// it, and whole, even when a node keeps a part of it.
struct SavedBytes {
  size_t activations = 0;  ///< what would be free without the graph
  size_t leaves = 0;       ///< of the graph's own leaves: parameters, which live anyway
};
SavedBytes saved_bytes(const Tensor& root);
SavedBytes saved_bytes(const std::vector<Tensor>& roots);

/// The graph of `root` as Graphviz text (dot -Tsvg): each op with its result and the bytes that it saves,
/// each leaf with its name where `names` has it.
std::string to_dot(const Tensor& root, const std::vector<std::pair<std::string, Tensor>>& names = {},
                   Caller caller = Caller::current());

}  // namespace iskra
