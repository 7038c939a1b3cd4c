#include <iskra/zoo/train/train_data.h>

#include <algorithm>

#include <iskra/zoo/data/idx.h>
#include <iskra/zoo/data/loader.h>

namespace iskra::zoo {

namespace {

/// `count` random pictures, the classes in the shares that they have in the data.
Dataset take(const Dataset& data, int64_t count, uint64_t seed) {
  if (count >= data.size()) return data;
  // Each picture's rank in its class, as a share of the class: the smallest shares are taken.
  std::vector<int64_t> counts = data.counts(), seen(counts.size());
  std::vector<std::pair<double, int64_t>> shares;
  for (int64_t i : epoch_order(data.size(), seed, 0)) {
    auto c = static_cast<size_t>(data.label(i));
    shares.emplace_back((static_cast<double>(seen[c]++) + 0.5) / static_cast<double>(counts[c]), i);
  }
  std::sort(shares.begin(), shares.end());
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < count; ++i) chosen.push_back(shares[static_cast<size_t>(i)].second);
  std::sort(chosen.begin(), chosen.end());
  return data.subset(chosen);
}

}  // namespace

TrainData read_train_data(const std::string& folder) {
  TrainData data;
  data.train = idx(folder);
  if (is_idx_folder(folder, "test")) {
    data.test = idx(folder, {.split = "test"});
    ISKRA_CHECK(data.test.height() == data.train.height() && data.test.width() == data.train.width(), folder,
                ": training pictures are ", data.train.height(), "x", data.train.width(), ", test pictures ",
                data.test.height(), "x", data.test.width());
  }
  return data;
}

Dataset choose_classes(const Dataset& data, const std::vector<int64_t>& classes) {
  if (classes.empty() || data.empty()) return data;
  for (int64_t c : classes) {
    ISKRA_CHECK(c < data.class_count(), "classes: ", c, " is no label of ", data.source(), ", which has 0 … ",
                data.class_count() - 1);
  }
  return data.select_classes(classes);
}

TrainData cut_train_data(const TrainData& all, const TrainOptions& o) {
  auto seed = static_cast<uint64_t>(o.seed);
  TrainData data;
  data.train = choose_classes(all.train, o.classes);
  data.test = choose_classes(all.test, o.classes);
  check_trainable(data.train);
  if (o.val > 0) {
    std::tie(data.train, data.validation) = data.train.split(o.val, seed);
    if (o.val_per_class > 0) data.validation = data.validation.take_per_class(o.val_per_class, seed);
    ISKRA_CHECK(!data.validation.empty(), "val: ", o.val, " of ", all.train.source(),
                " leaves no validation pictures; give more data, or --val 0");
  }
  if (o.per_class > 0) data.train = data.train.take_per_class(o.per_class, seed);
  if (o.limit > 0) data.train = take(data.train, o.limit, seed);
  check_trainable(data.train);
  return data;
}

}  // namespace iskra::zoo
