// The data of a training run, cut as the options say.
#pragma once

#include <string>

#include <iskra/zoo/data/dataset.h>
#include <iskra/zoo/train/options.h>

namespace iskra::zoo {

struct TrainData {
  Dataset train, validation, test;  ///< test is empty when the data has none
};

/// Reads options.data (a folder of IDX files).
TrainData read_train_data(const std::string& folder);

/// Chooses classes, holds out the validation split, then takes per_class and limit of what is left:
/// validation pictures are never trained on, whatever the number of labels. Deterministic in (data, options).
/// `all.validation` is ignored.
TrainData cut_train_data(const TrainData& all, const TrainOptions& options);

/// Pictures of `classes` (all when empty), relabelled; throws naming labels that the data lacks.
Dataset choose_classes(const Dataset& data, const std::vector<int64_t>& classes);

}  // namespace iskra::zoo
