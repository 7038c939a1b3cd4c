// iskra predict: the most probable classes of pictures.
#include <algorithm>

#include <iskra/core/ops.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/app/pictures.h>
#include <iskra/zoo/train/model_setup.h>

namespace iskra::zoo {

namespace {

struct Guess {
  int64_t label;
  double probability;
};

std::vector<Guess> best_guesses(const double* probabilities, int64_t classes, int64_t count) {
  std::vector<Guess> all;
  for (int64_t c = 0; c < classes; ++c) all.push_back({c, probabilities[c]});
  std::sort(all.begin(), all.end(), [](const Guess& a, const Guess& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.label < b.label;
  });
  all.resize(static_cast<size_t>(std::min(count, classes)));
  return all;
}

void print(const Console& console, const ZooModel& model, const std::string& picture,
           const std::vector<Guess>& guesses) {
  std::string line = picture + ":";
  std::vector<JsonLine> top;
  for (const Guess& g : guesses) {
    const std::string& name = model.info.classes[static_cast<size_t>(g.label)];
    line += (top.empty() ? "  " : ", ") + name + " " + percent(g.probability);
    top.push_back(JsonLine()("label", g.label)("class", name)("probability", g.probability));
  }
  console.say(line);
  console.object(JsonLine()("picture", picture)("top", top));
}

}  // namespace

int cmd_predict(const Arguments& arguments) {
  std::string arch, weights, data;
  std::vector<int64_t> index;
  int64_t top = 5, batch = 256;
  bool json = false;
  Compute compute;
  Flags flags("predict", "Tells the most probable classes of pictures, with probabilities.");
  flags.add("arch", arch, "architecture (left out: what the weights say)");
  flags.add("weights", weights, "safetensors file");
  flags.add("data", data,
            "folder with IDX files (its test split), an IDX file of pictures, or a .npy u8 (H,W) or (H,W,C)");
  flags.add("index", index, "which pictures, counted from 0; left out: the first ten", 0, 1e12);
  flags.add("top_k", top, "classes to tell", 1, 1e6);
  flags.add("batch", batch, "pictures at a time", 1, 65536);
  flags.require("weights");
  flags.require("data");
  compute.add_to(flags);
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;
  check_arch(arch);

  Console console(json);
  Device device = compute.apply();
  ZooModel model = open_model(arch, weights);
  Pictures pictures = read_pictures(data, index);
  const ModelInfo& info = model.info;
  check_pictures(info, pictures.data);
  model.module->to(device);
  model.module->eval();
  NoGrad no_grad;
  auto classes = static_cast<int64_t>(info.classes.size());
  int64_t count = pictures.data.size();
  for (int64_t begin = 0; begin < count; begin += batch) {
    Tensor bytes = pictures.data.pictures(begin, std::min(begin + batch, count));
    Tensor logits = (*model.module)(normalize_images(bytes.to(device), info.mean, info.std));
    std::vector<double> p = softmax(logits.to(Device::cpu()).to(DType::f64)).to_vector<double>();
    for (int64_t i = 0; i < bytes.size(0); ++i) {
      print(console, model, pictures.names[static_cast<size_t>(begin + i)],
            best_guesses(p.data() + i * classes, classes, top));
    }
  }
  console.object(JsonLine()("arch", info.arch)("device", device.str())("precision", "fp32")(
      "pictures", count)("classes", info.classes));
  return 0;
}

}  // namespace iskra::zoo
