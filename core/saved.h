// How a node knows what its closure keeps. Recording copies the closure once, and while it does every Tensor
// that is copied is noted, wherever it stands in the closure: captured alone, in a vector, in a struct, by
// save_if or by hand. (What a closure reaches through a pointer is not seen.) So the versions of all of them
// are checked before the closure is called, and their bytes can be counted, without a word in any op.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra::detail {

struct Storage;

/// A tensor kept by a closure, as it was then.
struct SavedValue {
  std::shared_ptr<TensorImpl> impl;
  const Storage* storage;
  uint64_t version;
};

/// Within its scope the copies of tensors on this thread are noted.
class Census {
 public:
  Census() : before_(current_census) { current_census = this; }
  ~Census() { current_census = before_; }
  Census(const Census&) = delete;
  Census& operator=(const Census&) = delete;
  void note(const std::shared_ptr<TensorImpl>& impl);
  std::vector<SavedValue> take() { return std::move(values_); }

 private:
  Census* before_;
  std::vector<SavedValue> values_;
};

}  // namespace iskra::detail
