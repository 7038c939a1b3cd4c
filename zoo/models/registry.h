// The models of the zoo by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <iskra/zoo/models/classifier.h>

namespace iskra::zoo {

struct ArchInfo {
  std::string name;
  std::string summary;  ///< one line for people
  int64_t image = 224, channels = 3, classes = 1000;
  std::vector<float> mean, std;          ///< preprocessing per channel, of pixels in [0, 1]
  std::vector<std::string> checkpoints;  ///< public checkpoints whose tensor names this model carries
};

/// All of them, in the order `iskra models` shows.
const std::vector<ArchInfo>& archs();
/// Throws Error naming the closest known name.
const ArchInfo& arch_info(const std::string& arch);

/// What may differ from the arch's own numbers; zero (dropout: negative) keeps them.
struct ModelOptions {
  int64_t classes = 0;
  int64_t image = 0;
  int64_t channels = 0;
  double dropout = -1;
};
/// A model with initial values drawn from the ambient RngScope (or none inside nn::init::Skip).
std::unique_ptr<Classifier> create(const std::string& arch, const ModelOptions& options = {});

}  // namespace iskra::zoo
