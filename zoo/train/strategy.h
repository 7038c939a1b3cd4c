// Which parameters a fine-tuning run trains.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <iskra/nn/module.h>

namespace iskra::zoo {

struct Strategy {
  enum Kind { scratch, full, head, last };
  Kind kind = scratch;
  int64_t blocks = 0;  ///< K of last:K
};

/// "scratch", "full", "head" or "last:K" with K >= 1; throws on anything else.
Strategy parse_strategy(const std::string& text);

/// Freezes what the strategy does not train. `blocks` are the prefixes of the model's blocks or stages, first
/// to last; last:K trains the last K of them, the head, and every parameter that comes after the last block
/// (a final norm).
void apply_strategy(nn::Module& model, const Strategy& strategy, const std::vector<std::string>& blocks,
                    const std::string& head);

}  // namespace iskra::zoo
