// The study of `iskra demo`. Its numbers were chosen on validation splits, and so that it ends within
// minutes.
#include <iskra/zoo/train/transfer.h>

namespace iskra::zoo {
namespace {

TrainOptions training(const char* arch, int64_t steps) {
  TrainOptions o;
  o.arch = arch;
  o.steps = steps;
  o.batch = 32;
  o.warmup = 0.1;
  o.flip = true;
  o.eval_every = steps / 5;
  o.checkpoint_every = steps;
  o.keep = 1;
  return o;
}

/// The same two learning rates for every way that trains more than the head.
std::vector<TransferWay> ways(const char* last_two, double low, double high) {
  return {{"from scratch", "scratch", {low, high}},
          {"head only", "head", {3e-3, 1e-2}},
          {last_two, "last:2", {low, high}},
          {"everything", "full", {low, high}}};
}

TransferModel vit_plan() {
  TransferModel m{.name = "ViT", .pretrain = training("vit_mini", 1500), .target = training("vit_mini", 300)};
  m.pretrain.lr = 1.5e-3;
  m.ways = ways("last two blocks", 1e-3, 2e-3);
  return m;
}

TransferModel vgg_plan() {
  TransferModel m{.name = "VGG", .pretrain = training("vgg_mini", 800), .target = training("vgg_mini", 100)};
  m.pretrain.lr = 1e-3;
  m.target.shift = 1;
  for (TrainOptions* o : {&m.pretrain, &m.target}) o->dropout = 0.5;
  m.ways = ways("last two layers", 1e-3, 3e-3);
  return m;
}

}  // namespace

TransferPlan fashion_transfer_plan(const std::string& data, const std::string& out) {
  TransferPlan plan;
  plan.data = data;
  plan.out = out;
  plan.source_classes = {0, 2, 4, 6, 8};
  plan.target_classes = {1, 3, 5, 7, 9};
  plan.labels_per_class = {20, 200};
  plan.seeds = {0};
  plan.models = {vit_plan(), vgg_plan()};
  return plan;
}

}  // namespace iskra::zoo
