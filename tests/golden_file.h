// Reads the committed goldens: safetensors files that our own scripts wrote, so nothing here guards against
// hostile input (zoo/weights has the reader that does).
#pragma once

#include <map>
#include <string>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra::testing {

/// One array, its values widened to double.
struct Golden {
  Shape shape;
  std::vector<double> values;
  DType dtype = DType::f64;  ///< in the file

  /// A tensor with these values in `type`.
  Tensor tensor(DType type) const;
};

struct GoldenFile {
  std::map<std::string, Golden> tensors;
  std::map<std::string, std::string> metadata;

  /// Reads tests/golden/NAME.
  static GoldenFile read(const std::string& name);
  bool has(const std::string& tensor) const { return tensors.count(tensor) != 0; }
  /// Throws naming the file and the tensor when there is none.
  const Golden& at(const std::string& tensor) const;

 private:
  std::string name_;
};

}  // namespace iskra::testing
