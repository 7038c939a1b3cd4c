// "Did you mean …?" for words that are unknown.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace iskra::zoo {

/// Single letters inserted, left out, changed, or exchanged with their neighbour, to get from a to b.
int edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, or "" when none is near enough to be what was meant.
std::string closest(const std::string& word, const std::vector<std::string>& candidates);

/// "; did you mean 'train'?" or "".
std::string did_you_mean(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace iskra::zoo
