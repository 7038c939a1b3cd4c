#include <iskra/zoo/data/dataset.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <numeric>

#include <iskra/kernels/check.h>
#include <iskra/zoo/data/sample_random.h>

namespace iskra::zoo {

Dataset::Dataset(std::vector<uint8_t> pixels, int64_t height, int64_t width, int64_t channels,
                 std::vector<int64_t> labels, std::vector<std::string> classes, std::string source)
    : height_(height),
      width_(width),
      channels_(channels),
      labels_(std::move(labels)),
      classes_(std::move(classes)),
      source_(std::move(source)) {
  ISKRA_CHECK(height > 0 && width > 0 && channels > 0, source_, ": pictures of ", height, "x", width, "x",
              channels, " have no pixels");
  auto bytes = static_cast<int64_t>(pixels.size());
  ISKRA_CHECK(bytes % picture_bytes() == 0 && bytes / picture_bytes() == size(), source_, ": ", size(),
              " labels, but ", bytes, " bytes of pixels are no ", size(), " pictures of ", height, "x", width,
              "x", channels);
  for (int64_t i = 0; i < size(); ++i) {
    ISKRA_CHECK(label(i) >= 0 && label(i) < class_count(), source_, ": picture ", i, " has label ", label(i),
                ", but there are ", class_count(), " class names (labels 0 … ", class_count() - 1,
                "); give a name for every label");
  }
  pixels_ = std::make_shared<const std::vector<uint8_t>>(std::move(pixels));
  rows_.resize(labels_.size());
  std::iota(rows_.begin(), rows_.end(), 0);
}

const uint8_t* Dataset::picture(int64_t i) const {
  ISKRA_CHECK(i >= 0 && i < size(), source_, ": no picture ", i, "; there are ", size());
  return pixels_->data() + rows_[static_cast<size_t>(i)] * picture_bytes();
}

std::vector<int64_t> Dataset::counts() const {
  std::vector<int64_t> counts(classes_.size());
  for (int64_t label : labels_) ++counts[static_cast<size_t>(label)];
  return counts;
}

std::string Dataset::str() const {
  return text(size(), " pictures ", height_, "x", width_, "x", channels_, ", ", class_count(),
              " classes, from ", source_);
}

Tensor Dataset::pictures(int64_t begin, int64_t end) const {
  ISKRA_CHECK(begin >= 0 && begin <= end && end <= size(), source_, ": no pictures ", begin, " … ", end,
              "; there are ", size());
  MemoryScope scope(MemoryTag::data);
  Tensor out =
      Tensor::empty({end - begin, height_, width_, channels_}, {.dtype = DType::u8, .device = Device::cpu()});
  auto bytes = static_cast<size_t>(picture_bytes());
  for (int64_t i = begin; i < end; ++i) {
    std::memcpy(out.data<uint8_t>() + (i - begin) * picture_bytes(), picture(i), bytes);
  }
  return out;
}

Dataset Dataset::subset(const std::vector<int64_t>& indices) const {
  Dataset out = *this;
  out.rows_.clear();
  out.labels_.clear();
  for (int64_t i : indices) {
    ISKRA_CHECK(i >= 0 && i < size(), source_, ": no picture ", i, "; there are ", size());
    out.rows_.push_back(rows_[static_cast<size_t>(i)]);
    out.labels_.push_back(label(i));
  }
  return out;
}

Dataset Dataset::select_classes(const std::vector<int64_t>& classes) const {
  constexpr int64_t kDropped = -1;
  std::vector<int64_t> relabel(classes_.size(), kDropped);
  std::vector<std::string> names;
  for (int64_t c : classes) {
    ISKRA_CHECK(c >= 0 && c < class_count(), source_, ": no class ", c, "; there are ", class_count(),
                " (0 … ", class_count() - 1, ")");
    int64_t& to = relabel[static_cast<size_t>(c)];
    ISKRA_CHECK(to == kDropped, source_, ": class ", c, " is chosen twice");
    to = static_cast<int64_t>(names.size());
    names.push_back(classes_[static_cast<size_t>(c)]);
  }
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < size(); ++i) {
    if (relabel[static_cast<size_t>(label(i))] != kDropped) chosen.push_back(i);
  }
  Dataset out = subset(chosen);
  for (int64_t& label : out.labels_) label = relabel[static_cast<size_t>(label)];
  out.classes_ = std::move(names);
  return out;
}

std::vector<std::vector<int64_t>> Dataset::shuffled_classes(uint64_t seed) const {
  std::vector<std::vector<int64_t>> members(classes_.size());
  for (int64_t i : random_order(size(), seed, RandomUse::subset, 0))
    members[static_cast<size_t>(label(i))].push_back(i);
  return members;
}

std::pair<Dataset, Dataset> Dataset::split_off(const std::vector<std::vector<int64_t>>& members,
                                               const std::vector<int64_t>& take) const {
  std::vector<int64_t> rest, taken;
  for (size_t c = 0; c < members.size(); ++c) {
    auto cut = members[c].begin() + take[c];
    taken.insert(taken.end(), members[c].begin(), cut);
    rest.insert(rest.end(), cut, members[c].end());
  }
  std::sort(rest.begin(), rest.end());
  std::sort(taken.begin(), taken.end());
  return {subset(rest), subset(taken)};
}

Dataset Dataset::take_per_class(int64_t n, uint64_t seed) const {
  ISKRA_CHECK(n >= 0, source_, ": cannot take ", n, " pictures of each class");
  std::vector<int64_t> take = counts();
  for (int64_t& t : take) t = std::min(t, n);
  return split_off(shuffled_classes(seed), take).second;
}

std::pair<Dataset, Dataset> Dataset::split(double fraction, uint64_t seed) const {
  ISKRA_CHECK(fraction >= 0 && fraction < 1, source_, ": cannot split off a share of ", fraction,
              "; it must be at least 0 and below 1");
  std::vector<int64_t> take = counts();
  for (int64_t& t : take) {
    auto wanted = static_cast<int64_t>(std::llround(fraction * static_cast<double>(t)));
    // Both sides get a picture of every class that has two.
    t = fraction > 0 && t > 1 ? std::clamp<int64_t>(wanted, 1, t - 1) : 0;
  }
  return split_off(shuffled_classes(seed), take);
}

std::pair<Dataset, Dataset> Dataset::split_per_class(int64_t n, uint64_t seed) const {
  std::vector<int64_t> have = counts();
  for (size_t c = 0; c < have.size(); ++c) {
    ISKRA_CHECK(n >= 0 && n <= have[c], source_, ": cannot split off ", n, " pictures of class ", classes_[c],
                ", which has ", have[c]);
  }
  return split_off(shuffled_classes(seed), std::vector<int64_t>(have.size(), n));
}

void check_trainable(const Dataset& dataset) {
  ISKRA_CHECK(!dataset.empty(), dataset.source(), ": has no pictures to train on");
  ISKRA_CHECK(dataset.class_count() > 1, dataset.source(),
              ": has one class only; training needs at least two to tell apart");
  std::vector<int64_t> counts = dataset.counts();
  auto present = counts.size() - static_cast<size_t>(std::count(counts.begin(), counts.end(), 0));
  ISKRA_CHECK(present > 1, dataset.source(), ": all ", dataset.size(), " pictures are of one class (",
              dataset.classes()[static_cast<size_t>(dataset.label(0))],
              "); training needs at least two to tell apart");
  for (size_t c = 0; c < counts.size(); ++c) {
    ISKRA_CHECK(counts[c] > 0, dataset.source(), ": class ", dataset.classes()[c],
                " has no pictures; leave it out with --classes, or add some");
  }
}

PixelStatistics pixel_statistics(const Dataset& dataset) {
  ISKRA_CHECK(!dataset.empty(), dataset.source(), ": no pictures, so no mean and no standard deviation");
  auto channels = static_cast<size_t>(dataset.channels());
  // A histogram is exact, and cheaper than sums of squares.
  std::vector<std::array<int64_t, 256>> histogram(channels);
  int64_t pixels = dataset.height() * dataset.width();
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const uint8_t* at = dataset.picture(i);
    for (int64_t p = 0; p < pixels; ++p) {
      for (size_t c = 0; c < channels; ++c) ++histogram[c][*at++];
    }
  }
  auto count = static_cast<double>(dataset.size() * pixels);
  PixelStatistics statistics;
  for (const auto& bins : histogram) {
    double sum = 0, squares = 0;
    for (size_t v = 0; v < bins.size(); ++v) {
      double value = static_cast<double>(v) / 255, n = static_cast<double>(bins[v]);
      sum += n * value;
      squares += n * value * value;
    }
    double mean = sum / count;
    statistics.mean.push_back(static_cast<float>(mean));
    statistics.std.push_back(static_cast<float>(std::sqrt(std::max(0.0, squares / count - mean * mean))));
  }
  return statistics;
}

}  // namespace iskra::zoo
