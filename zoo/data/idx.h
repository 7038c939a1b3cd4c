// IDX files (MNIST, Fashion-MNIST and relatives), plain or gzip. Format: http://yann.lecun.com/exdb/mnist.
#pragma once

#include <string>
#include <vector>

#include <iskra/zoo/data/dataset.h>

namespace iskra::zoo {

struct IdxOptions {
  std::string split = "train";           ///< "train", or "test" (files t10k-* or test-*)
  std::string images = {}, labels = {};  ///< explicit files instead of folder and split
  /// Names; empty: classes.txt beside the files, those of Fashion-MNIST in a folder of that name, else the
  /// numbers.
  std::vector<std::string> classes = {};
};

/// Reads FOLDER/{train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz]. Throws Error, one line, for every kind of
/// damage.
Dataset idx(const std::string& folder, const IdxOptions& options = {});

/// The pictures of one IDX file, without labels (all are 0, of the one class "?").
Dataset idx_pictures(const std::string& path);

/// Whether the folder holds IDX files of that split under their usual names.
bool is_idx_folder(const std::string& folder, const std::string& split = "train");

}  // namespace iskra::zoo
