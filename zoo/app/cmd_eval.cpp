// iskra eval: how good a model is on labelled pictures.
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/data/idx.h>
#include <iskra/zoo/train/evaluate.h>
#include <iskra/zoo/train/model_setup.h>
#include <iskra/zoo/train/train_data.h>

namespace iskra::zoo {

namespace {

struct EvalFlags {
  std::string arch, weights, data, split = "test";
  std::vector<int64_t> classes;
  int64_t batch = 256;
  bool json = false;
  Compute compute;

  bool parse(const Arguments& arguments) {
    Flags flags("eval", "Accuracy, loss and confusion of a model on labelled pictures.");
    flags.add("arch", arch, "architecture (left out: what the weights say)");
    flags.add("weights", weights, "safetensors file");
    flags.add("data", data, "folder with IDX files");
    flags.add("split", split, "which pictures", "test|train");
    flags.add("classes", classes,
              "labels to use, in this order; left out: those that the weights were trained on", 0, 1e6);
    flags.add("batch", batch, "pictures at a time", 1, 65536);
    flags.require("weights");
    flags.require("data");
    compute.add_to(flags);
    add_json(flags, json);
    if (!flags.parse(arguments)) return false;
    check_arch(arch);
    return true;
  }
};

void print(const Console& console, const EvalFlags& flags, const ZooModel& model, const Evaluation& e) {
  Table table({"class", "pictures>", "correct>"});
  std::vector<double> class_accuracy;
  std::vector<std::vector<int64_t>> confusion;
  for (int64_t c = 0; c < e.classes(); ++c) {
    auto row = e.confusion.begin() + c * e.classes();
    confusion.emplace_back(row, row + e.classes());
    int64_t count = 0;
    for (int64_t n : confusion.back()) count += n;
    class_accuracy.push_back(e.class_accuracy(c));
    table.row({e.class_names[static_cast<size_t>(c)], grouped(count), percent(class_accuracy.back())});
  }
  console.say(table.str());
  console.say(grouped(e.count) + " pictures: accuracy " + percent(e.accuracy) + ", loss " + fixed(e.loss, 4));
  console.object(JsonLine()("arch", model.info.arch)("device", flags.compute.device)(
      "precision", flags.compute.precision)("batch", flags.batch)("split", flags.split)("pictures", e.count)(
      "loss", e.loss)("accuracy", e.accuracy)("classes", e.class_names)("class_accuracy", class_accuracy)(
      "confusion", confusion));
}

}  // namespace

int cmd_eval(const Arguments& arguments) {
  EvalFlags flags;
  if (!flags.parse(arguments)) return 0;
  Device device = flags.compute.apply();
  ZooModel model = open_model(flags.arch, flags.weights);
  Dataset data = idx(flags.data, {.split = flags.split});
  data = flags.classes.empty() ? match_classes(data, model.info) : choose_classes(data, flags.classes);
  check_pictures(model.info, data);
  ISKRA_CHECK(!data.empty(), data.source(), ": no pictures of these classes");
  model.module->to(device);
  Evaluation e =
      evaluate(*model.module, data,
               {.batch = flags.batch, .mean = model.info.mean, .std = model.info.std, .device = device});
  print(Console(flags.json), flags, model, e);
  return 0;
}

}  // namespace iskra::zoo
