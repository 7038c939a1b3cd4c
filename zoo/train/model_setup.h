// A model of the zoo with all that is needed to use it: from an architecture's name, a weights file, or both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <iskra/nn/module.h>
#include <iskra/zoo/data/dataset.h>
#include <iskra/zoo/train/options.h>
#include <iskra/zoo/weights/model_file.h>

namespace iskra::zoo {

struct ZooModel {
  std::unique_ptr<nn::Module> module;
  ModelInfo info;                  ///< complete: arch, classes, picture size, normalisation, head
  std::vector<std::string> notes;  ///< what a person should know, one line each
};

/// A trained model. `arch` "" takes the file's metadata; classes and picture size are the file's, or, where
/// it does not say, those of the head's shape and of the architecture. Throws naming what is missing.
ZooModel open_model(const std::string& arch, const std::string& weights);

/// The model of a training run: fresh (from options.seed), or from options.weights, with a new head when the
/// classes of `train` are not the file's. Frozen as options.strategy says.
ZooModel model_for_training(const TrainOptions& options, const Dataset& train);

/// Throws unless pictures of `data` are what the model takes.
void check_pictures(const ModelInfo& info, const Dataset& data);

/// Pictures of the classes that the model tells apart, labelled in its order: matched by name, or, when names
/// differ but their number does not, by number. Throws when neither fits.
Dataset match_classes(const Dataset& data, const ModelInfo& info);

}  // namespace iskra::zoo
