#include <iskra/zoo/train/model_setup.h>

#include <algorithm>

#include <iskra/core/random.h>
#include <iskra/nn/init.h>
#include <iskra/zoo/models/registry.h>
#include <iskra/zoo/train/strategy.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {

namespace {

std::string choose_arch(const std::string& arch, const ModelInfo& info, const std::string& weights) {
  ISKRA_CHECK(!arch.empty() || !info.arch.empty(), weights, ": does not say its architecture; give --arch");
  return arch_info(arch.empty() ? info.arch : arch).name;
}

/// Classes of a file that does not name them: rows of its head's weight.
int64_t head_rows(const std::string& arch, const std::string& weights) {
  nn::init::Skip skip;
  std::string name = create(arch)->head() + ".weight";
  SafetensorsFile file = SafetensorsFile::open(weights);
  const TensorEntry* entry = file.find(name);
  ISKRA_CHECK(entry != nullptr && entry->shape.rank() == 2, weights, ": there is no tensor ", name,
              "; is it another architecture than ", arch, "?");
  return entry->shape[0];
}

std::vector<std::string> numbered(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(std::to_string(i));
  return names;
}

/// Fills in what `info` leaves open, from the architecture.
void complete(ModelInfo& info, const ArchInfo& arch) {
  info.arch = arch.name;
  if (info.image_size == 0) info.image_size = arch.image;
  if (info.channels == 0) info.channels = arch.channels;
  bool fits = static_cast<int64_t>(arch.mean.size()) == info.channels;
  if (info.mean.empty() && fits) info.mean = arch.mean;
  if (info.std.empty() && fits) info.std = arch.std;
}

}  // namespace

ZooModel open_model(const std::string& arch, const std::string& weights) {
  ZooModel model;
  model.info = read_model_info(weights);
  complete(model.info, arch_info(choose_arch(arch, model.info, weights)));
  ModelInfo& info = model.info;
  if (info.classes.empty()) info.classes = numbered(head_rows(info.arch, weights));
  nn::init::Skip skip;
  std::unique_ptr<Classifier> made = create(info.arch, {.classes = static_cast<int64_t>(info.classes.size()),
                                                        .image = info.image_size,
                                                        .channels = info.channels});
  info.head = made->head();
  model.module = std::move(made);
  LoadReport report = load(*model.module, weights, {.head = info.head});
  ISKRA_CHECK(report.reset.empty(), weights, ": ", report.summary, "; it cannot be used without its head");
  model.notes = report.warnings;
  return model;
}

ZooModel model_for_training(const TrainOptions& o, const Dataset& train) {
  Strategy strategy = parse_strategy(o.strategy);
  bool from_weights = strategy.kind != Strategy::scratch;
  ISKRA_CHECK(!o.arch.empty() || !o.weights.empty(), "arch: none given; `iskra models` lists them");
  ISKRA_CHECK(train.height() == train.width(), train.source(), ": pictures are ", train.width(), " wide and ",
              train.height(), " high; the models take square ones");
  ZooModel model;
  ModelInfo& info = model.info;
  // Also from scratch: weights that are named may say which architecture is meant.
  ModelInfo file = o.weights.empty() ? ModelInfo{} : read_model_info(o.weights);
  if (from_weights) info = file;
  info.extra.clear();
  bool same_classes = info.classes == train.classes();
  info.classes = train.classes();
  info.image_size = from_weights && info.image_size > 0 ? info.image_size : train.height();
  info.channels = from_weights && info.channels > 0 ? info.channels : train.channels();
  if (!from_weights) {
    PixelStatistics pixels = pixel_statistics(train);
    info.mean = pixels.mean;
    info.std = pixels.std;
  }
  complete(info, arch_info(choose_arch(o.arch, file, o.weights)));
  check_pictures(info, train);
  RngScope random({.seed = static_cast<uint64_t>(o.seed)});
  std::unique_ptr<Classifier> made = create(info.arch, {.classes = train.class_count(),
                                                        .image = info.image_size,
                                                        .channels = info.channels,
                                                        .dropout = o.dropout});
  info.head = made->head();
  if (from_weights) {
    LoadReport report = load(*made, o.weights, {.head = info.head, .reset_head = !same_classes});
    model.notes = report.warnings;
    model.notes.push_back(report.summary);
  }
  apply_strategy(*made, strategy, made->blocks(), info.head);
  model.module = std::move(made);
  return model;
}

void check_pictures(const ModelInfo& info, const Dataset& data) {
  ISKRA_CHECK(
      data.height() == info.image_size && data.width() == info.image_size && data.channels() == info.channels,
      data.source(), ": pictures are ", data.channels(), "x", data.height(), "x", data.width(), ", but ",
      info.arch, " takes ", info.channels, "x", info.image_size, "x", info.image_size,
      "; choose other --weights, or train on these pictures");
}

Dataset match_classes(const Dataset& data, const ModelInfo& info) {
  if (info.classes == data.classes()) return data;
  std::vector<int64_t> labels;
  for (const std::string& name : info.classes) {
    auto at = std::find(data.classes().begin(), data.classes().end(), name);
    if (at != data.classes().end()) labels.push_back(at - data.classes().begin());
  }
  if (labels.size() == info.classes.size()) return data.select_classes(labels);
  ISKRA_CHECK(info.classes.size() == data.classes().size(), data.source(), ": has ", data.class_count(),
              " classes, the model ", static_cast<int64_t>(info.classes.size()),
              "; choose them with --classes");
  return data;
}

}  // namespace iskra::zoo
