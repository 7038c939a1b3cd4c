// Activation checkpointing (Chen et al. 2016): what is computed inside is computed again in the backward pass
// instead of kept.
#pragma once

#include <functional>
#include <vector>

#include <iskra/core/autograd.h>

namespace iskra {

using Segment = std::function<Tensor(const std::vector<Tensor>& inputs)>;

/// segment(inputs), of which only the inputs are kept. The backward pass runs `segment` once more, under the
/// settings of now (autocast, provider, place and numbers of the RngScope), so all bits are those of a plain
/// call, as far as `segment` depends on nothing else that changes. Gradients reach the inputs and every other
/// tensor that the segment uses (parameters); their hooks fire as in a plain call. Segments nest. Half of a
/// backward_inputs() runs the segment once each.
Tensor checkpoint(const Segment& segment, const std::vector<Tensor>& inputs,
                  Caller caller = Caller::current());

}  // namespace iskra
