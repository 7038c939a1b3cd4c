// Models in files: names matched, heads replaced, everything else refused with both shapes.
#include <gtest/gtest.h>

#include <iskra/nn/layers.h>
#include <iskra/zoo/weights/model_file.h>
#include <iskra/zoo/weights/safetensors.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::Folder;
using Names = std::vector<std::string>;

/// Two layers and a head, every element a value of its own.
struct Small : nn::Module {
  nn::Linear body;
  nn::LayerNorm norm;
  nn::Linear head;
  Small(int64_t width, int64_t classes, float first = 0) : body(4, width), norm(width), head(width, classes) {
    for (const nn::Named& named : state()) {
      Tensor tensor = named.tensor;
      std::vector<float> values(static_cast<size_t>(tensor.numel()));
      for (float& value : values) value = first++;
      tensor.copy_from(Tensor::of(values, tensor.shape()));
    }
  }
  void fields(nn::Fields& f) override { f("body", body)("norm", norm)("head", head); }
};

/// A VGG's names: a list of layers with gaps.
struct Classifier : nn::Module {
  nn::Sequential classifier;
  explicit Classifier(int64_t classes) {
    classifier.add(nn::Linear(3, 5));
    classifier.add(nn::ReLU());
    classifier.add(nn::Linear(5, classes));
  }
  void fields(nn::Fields& f) override { f("classifier", classifier); }
};

ModelInfo sample_info() {
  return {.arch = "small",
          .classes = {"Ankle boot", "T-shirt/top", "Ä \"quoted\""},
          .image_size = 28,
          .channels = 1,
          .mean = {0.2860406F},
          .std = {0.1F},
          .head = "head",
          .extra = {{"note", "x"}}};
}

void expect_equal(const ModelInfo& a, const ModelInfo& b) {
  EXPECT_EQ(a.arch, b.arch);
  EXPECT_EQ(a.classes, b.classes);
  EXPECT_EQ(a.image_size, b.image_size);
  EXPECT_EQ(a.channels, b.channels);
  EXPECT_EQ(a.mean, b.mean);
  EXPECT_EQ(a.std, b.std);
  EXPECT_EQ(a.head, b.head);
  EXPECT_EQ(a.extra, b.extra);
}

std::vector<float> values_of(const Tensor& tensor) { return tensor.to_vector<float>(); }

TEST(ModelFile, ComesBack) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 3, 1000);
  Tensor handle = loaded.body.weight;  // what an optimizer holds
  save(saved, folder / "m", sample_info());
  LoadReport report = load(loaded, folder / "m");
  for (size_t i = 0; i < saved.state().size(); ++i) {
    EXPECT_EQ(values_of(loaded.state()[i].tensor), values_of(saved.state()[i].tensor));
  }
  EXPECT_EQ(values_of(handle), values_of(saved.body.weight)) << "parameters keep their identity";
  expect_equal(report.info, sample_info());
  expect_equal(read_model_info(folder / "m"), sample_info());
  EXPECT_EQ(report.loaded,
            (Names{"body.weight", "body.bias", "norm.weight", "norm.bias", "head.weight", "head.bias"}));
  EXPECT_EQ(report.head, "head");
  EXPECT_TRUE(report.reset.empty() && report.missing.empty() && report.unexpected.empty() &&
              report.warnings.empty());
  EXPECT_EQ(report.summary, "loaded 6 tensors");
  EXPECT_EQ(SafetensorsFile::open(folder / "m").metadata().at("format"), "pt");
}

TEST(ModelFile, AHeadOfOtherClassesKeepsItsInitialValues) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 10, 1000);
  save(saved, folder / "m");
  std::vector<float> before = values_of(loaded.head.weight), bias_before = values_of(loaded.head.bias);
  LoadReport report = load(loaded, folder / "m");
  EXPECT_EQ(values_of(loaded.body.weight), values_of(saved.body.weight));
  EXPECT_EQ(values_of(loaded.head.weight), before);
  EXPECT_EQ(values_of(loaded.head.bias), bias_before);
  EXPECT_EQ(report.reset, (Names{"head.weight", "head.bias"}));
  EXPECT_EQ(report.summary,
            "loaded 4 tensors; head starts from its initial values (3 classes in the file, 10 in the model)");
}

TEST(ModelFile, AHeadIsResetWhenAskedFor) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 3, 1000);
  save(saved, folder / "m");
  std::vector<float> before = values_of(loaded.head.weight);
  LoadReport report = load(loaded, folder / "m", {.reset_head = true});
  EXPECT_EQ(values_of(loaded.head.weight), before);
  EXPECT_EQ(report.summary, "loaded 4 tensors; head starts from its initial values (as asked for)");
}

TEST(ModelFile, AFileWithoutHead) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 3, 1000);
  std::vector<nn::Named> body = saved.state();
  body.resize(4);
  write_safetensors(folder / "m", body);
  EXPECT_EQ(load(loaded, folder / "m").summary,
            "loaded 4 tensors; head starts from its initial values (the file has none)");
}

TEST(ModelFile, TheLastClassifierLayerIsTheHead) {
  Folder folder;
  Classifier saved(3), loaded(7);
  EXPECT_EQ(find_head(saved), "classifier.2");
  save(saved, folder / "m");
  EXPECT_EQ(read_model_info(folder / "m").head, "classifier.2");
  LoadReport report = load(loaded, folder / "m");
  EXPECT_EQ(report.reset, (Names{"classifier.2.weight", "classifier.2.bias"}));
  EXPECT_EQ(values_of(loaded.classifier.state()[0].tensor), values_of(saved.classifier.state()[0].tensor));
  nn::Linear bare(2, 3);
  EXPECT_EQ(find_head(bare), "");
}

TEST(ModelFile, OtherShapesAreRefusedAndNothingChanges) {
  Folder folder;
  Small saved(6, 3, 1), loaded(5, 3, 1000);
  save(saved, folder / "m", sample_info());
  std::vector<float> before = values_of(loaded.head.bias);
  EXPECT_ERROR(load(loaded, folder / "m"),
               "/m: does not fit the model: \"body.weight\" is F32 (6, 4) in the file, F32 (5, 4) in the "
               "model, \"body.bias\"");
  EXPECT_ERROR(load(loaded, folder / "m"),
               "is it another architecture, or another picture size? (the file says: small)");
  EXPECT_ERROR(load(loaded, folder / "m", {.partial = true}), "does not fit the model");
  EXPECT_EQ(values_of(loaded.head.bias), before) << "it fits, but is not changed either";
}

TEST(ModelFile, MissingAndUnexpectedTensors) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 3, 1000);
  std::vector<nn::Named> tensors = saved.state();
  tensors[0].name = "module.body.weight";
  write_safetensors(folder / "m", tensors);
  EXPECT_ERROR(
      load(loaded, folder / "m"),
      "missing in the file: body.weight; not in the model: module.body.weight; is it another architecture?");
  LoadReport report = load(loaded, folder / "m", {.partial = true});
  EXPECT_EQ(report.missing, Names{"body.weight"});
  EXPECT_EQ(report.unexpected, Names{"module.body.weight"});
  EXPECT_EQ(report.summary,
            "loaded 5 tensors; missing in the file: body.weight; not in the model: module.body.weight");
  EXPECT_EQ(values_of(loaded.body.bias), values_of(saved.body.bias));
  EXPECT_EQ(values_of(loaded.body.weight)[0], 1000);
}

TEST(ModelFile, AFileOfAnotherModel) {
  Folder folder;
  Classifier other(3);
  Small loaded(6, 3);
  save(other, folder / "m");
  EXPECT_ERROR(
      load(loaded, folder / "m", {.partial = true}),
      "has no tensor of this model; it has classifier.0.bias, classifier.0.weight, classifier.2.bias, "
      "classifier.2.weight");
  EXPECT_ERROR(load(loaded, folder / "m", {.head = "top"}),
               "the model has no module \"top\" to take for its head");
}

TEST(ModelFile, FloatingTypesAreConvertedOthersRefused) {
  Folder folder;
  Small saved(6, 3, 1), loaded(6, 3, 1000);
  std::vector<nn::Named> tensors;
  for (const nn::Named& named : saved.state())
    tensors.push_back({named.name, named.tensor.detach().to(DType::f64)});
  write_safetensors(folder / "m", tensors);
  load(loaded, folder / "m");
  EXPECT_EQ(loaded.body.weight.dtype(), DType::f32);
  EXPECT_EQ(values_of(loaded.body.weight), values_of(saved.body.weight));
  tensors[0].tensor = tensors[0].tensor.to(DType::i64);
  write_safetensors(folder / "m", tensors);
  EXPECT_ERROR(load(loaded, folder / "m"),
               "\"body.weight\" is I64 (6, 4) in the file, F32 (6, 4) in the model");
}

TEST(ModelFile, MetadataThatIsNotOurs) {
  const std::pair<const char*, const char*> kBad[] = {
      {"classes", "[1,2]"}, {"classes", "cat, dog"}, {"image_size", "28x28"},   {"image_size", "-1"},
      {"channels", "1e9"},  {"mean", "{}"},          {"std", "[0.5, \"0.5\"]"}, {"channels", "true"}};
  for (const auto& [key, value] : kBad) {
    EXPECT_ERROR(from_metadata({{key, value}}, "f"), std::string("f: metadata ") + key + " is \"");
  }
  ModelInfo none = from_metadata({{"format", "pt"}, {"timm", "{}"}}, "f");
  EXPECT_EQ(none.image_size, 0);
  EXPECT_TRUE(none.classes.empty() && none.mean.empty());
  EXPECT_EQ(none.extra, (std::map<std::string, std::string>{{"timm", "{}"}}));
}

}  // namespace
}  // namespace iskra::zoo
