// Pictures to predict on, from whatever kind of file they are in.
#pragma once

#include <string>
#include <vector>

#include <iskra/zoo/data/dataset.h>

namespace iskra::zoo {

struct Pictures {
  Dataset data;                    ///< labels mean nothing
  std::vector<std::string> names;  ///< for people: the file, and the number within it
};

/// `path`: a folder with IDX files (its test split, else its training split), an IDX or IDX.gz file of
/// pictures, or a .npy file of u8, (H,W) or (H,W,C). `index` chooses pictures; empty: the first ten.
Pictures read_pictures(const std::string& path, const std::vector<int64_t>& index);

}  // namespace iskra::zoo
