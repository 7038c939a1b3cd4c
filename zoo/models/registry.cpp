#include <iskra/zoo/models/registry.h>

#include <functional>

#include <iskra/zoo/models/vgg.h>
#include <iskra/zoo/models/vit.h>
#include <iskra/zoo/suggest.h>

namespace iskra::zoo {
namespace {

using Maker = std::function<std::unique_ptr<Classifier>(const ArchInfo&, const ModelOptions&)>;

struct Entry {
  ArchInfo info;
  Maker make;
};

// What the options and the arch's own numbers come to.
template <class Config>
Config merged(Config config, const ArchInfo& info, const ModelOptions& options) {
  config.image = options.image > 0 ? options.image : info.image;
  config.channels = options.channels > 0 ? options.channels : info.channels;
  config.classes = options.classes > 0 ? options.classes : info.classes;
  if (options.dropout >= 0) config.dropout = options.dropout;
  return config;
}

Maker vit_maker(const VitConfig& config) {
  return [config](const ArchInfo& info, const ModelOptions& options) -> std::unique_ptr<Classifier> {
    return std::make_unique<Vit>(merged(config, info, options));
  };
}

Maker vgg_maker(const VggConfig& config) {
  return [config](const ArchInfo& info, const ModelOptions& options) -> std::unique_ptr<Classifier> {
    return std::make_unique<Vgg>(merged(config, info, options));
  };
}

const std::vector<float> kImageNetMean = {0.485F, 0.456F, 0.406F};
const std::vector<float> kImageNetStd = {0.229F, 0.224F, 0.225F};
const std::vector<float> kHalf = {0.5F, 0.5F, 0.5F};

ArchInfo small_info(const std::string& name, const std::string& summary) {
  return {name, summary,  28,       1,
          10,   {0.286F}, {0.353F}, {}};  // mean and deviation of Fashion-MNIST's training pictures
}

ArchInfo vit_info(const std::string& name, const std::string& summary) {
  return {name, summary, 224, 3, 1000, kHalf, kHalf, {"timm " + name}};
}

ArchInfo vgg_info(const std::string& name, const std::string& summary) {
  return {name, summary, 224, 3, 1000, kImageNetMean, kImageNetStd, {"torchvision " + name}};
}

std::vector<Entry> all_entries() {
  auto vit_of = [](int64_t patch, int64_t width, int64_t depth, int64_t heads) {
    return vit_maker({.patch = patch, .width = width, .depth = depth, .heads = heads});
  };
  auto vgg_of = [](std::vector<int64_t> plan) { return vgg_maker({.plan = std::move(plan)}); };
  return {
      {small_info("vit_mini", "ViT for 28-pixel pictures: patch 4, width 64, depth 4, 4 heads"),
       vit_maker({.patch = 4, .width = 64, .depth = 4, .heads = 4, .init_std = 0.07})},
      {small_info("vgg_mini",
                  "VGG for 28-pixel pictures: 32-32, 64-64, 128 channels, one hidden layer of 128"),
       vgg_maker({.plan = {32, 32, 0, 64, 64, 0, 128, 0}, .hidden = {128}})},
      {vit_info("vit_tiny_patch16_224", "ViT-Ti/16"), vit_of(16, 192, 12, 3)},
      {vit_info("vit_small_patch16_224", "ViT-S/16"), vit_of(16, 384, 12, 6)},
      {vit_info("vit_base_patch16_224", "ViT-B/16"), vit_of(16, 768, 12, 12)},
      {vit_info("vit_base_patch32_224", "ViT-B/32"), vit_of(32, 768, 12, 12)},
      {vit_info("vit_large_patch16_224", "ViT-L/16"), vit_of(16, 1024, 24, 16)},
      {vgg_info("vgg11", "VGG configuration A"),
       vgg_of({64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0})},
      {vgg_info("vgg13", "VGG configuration B"),
       vgg_of({64, 64, 0, 128, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0})},
      {vgg_info("vgg16", "VGG configuration D"), vgg_maker({})},
      {vgg_info("vgg19", "VGG configuration E"),
       vgg_of({64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512, 512, 512, 512, 0})},
  };
}

const std::vector<Entry>& entries() {
  static const std::vector<Entry> all = all_entries();
  return all;
}

const Entry& find(const std::string& arch) {
  std::vector<std::string> names;
  for (const Entry& entry : entries()) {
    if (entry.info.name == arch) return entry;
    names.push_back(entry.info.name);
  }
  throw Error(text("arch '", arch, "' is unknown", did_you_mean(arch, names), " (`iskra models` lists all)"));
}

}  // namespace

const std::vector<ArchInfo>& archs() {
  static const std::vector<ArchInfo> infos = [] {
    std::vector<ArchInfo> all;
    for (const Entry& entry : entries()) all.push_back(entry.info);
    return all;
  }();
  return infos;
}

const ArchInfo& arch_info(const std::string& arch) { return find(arch).info; }

std::unique_ptr<Classifier> create(const std::string& arch, const ModelOptions& options) {
  const Entry& entry = find(arch);
  return entry.make(entry.info, options);
}

}  // namespace iskra::zoo
