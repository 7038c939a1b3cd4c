// Labelled pictures in memory. A Dataset is a cheap handle: copies and subsets share the pixels.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <iskra/core/tensor.h>

namespace iskra::zoo {

class Dataset {
 public:
  Dataset() = default;
  /// Pixels u8 (N,H,W,C); one label in [0, classes.size()) a picture. `source` names the data in messages.
  Dataset(std::vector<uint8_t> pixels, int64_t height, int64_t width, int64_t channels,
          std::vector<int64_t> labels, std::vector<std::string> classes, std::string source);

  int64_t size() const { return static_cast<int64_t>(labels_.size()); }
  bool empty() const { return labels_.empty(); }
  int64_t height() const { return height_; }
  int64_t width() const { return width_; }
  int64_t channels() const { return channels_; }
  int64_t picture_bytes() const { return height_ * width_ * channels_; }
  /// Pixels (H,W,C) of picture i.
  const uint8_t* picture(int64_t i) const;
  int64_t label(int64_t i) const { return labels_.at(static_cast<size_t>(i)); }
  const std::vector<int64_t>& labels() const { return labels_; }
  const std::vector<std::string>& classes() const { return classes_; }
  int64_t class_count() const { return static_cast<int64_t>(classes_.size()); }
  const std::string& source() const { return source_; }
  /// Pictures of each class.
  std::vector<int64_t> counts() const;
  /// "60000 pictures 28x28x1, 10 classes, from …"
  std::string str() const;
  /// Pictures [begin, end) as a fresh u8 tensor (N,H,W,C).
  Tensor pictures(int64_t begin, int64_t end) const;

  // --- subsets: order is kept; deterministic in (data, arguments, seed)
  // -------------------------------------------
  /// The pictures with these indices, in this order.
  Dataset subset(const std::vector<int64_t>& indices) const;
  /// Only these classes, relabelled 0, 1, … in the given order.
  Dataset select_classes(const std::vector<int64_t>& classes) const;
  /// n random pictures of each class; all of a class that has fewer.
  Dataset take_per_class(int64_t n, uint64_t seed) const;
  /// {rest, taken}: `fraction` of each class (rounded to nearest, at least one picture when it has two) goes
  /// to the second.
  std::pair<Dataset, Dataset> split(double fraction, uint64_t seed) const;
  /// {rest, taken}: n random pictures of each class go to the second; throws naming a class that has fewer.
  std::pair<Dataset, Dataset> split_per_class(int64_t n, uint64_t seed) const;

 private:
  std::vector<std::vector<int64_t>> shuffled_classes(uint64_t seed) const;
  std::pair<Dataset, Dataset> split_off(const std::vector<std::vector<int64_t>>& members,
                                        const std::vector<int64_t>& take) const;

  std::shared_ptr<const std::vector<uint8_t>> pixels_;
  std::vector<int64_t> rows_;  // picture i lies at rows_[i] in pixels_
  int64_t height_ = 0, width_ = 0, channels_ = 0;
  std::vector<int64_t> labels_;
  std::vector<std::string> classes_;
  std::string source_;
};

/// Throws Error when training on it makes no sense: empty, one class only, or a class without pictures.
void check_trainable(const Dataset& dataset);

/// Mean and standard deviation of each channel, of pixels in [0, 1].
struct PixelStatistics {
  std::vector<float> mean, std;
};
PixelStatistics pixel_statistics(const Dataset& dataset);

}  // namespace iskra::zoo
