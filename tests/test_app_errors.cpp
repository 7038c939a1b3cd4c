// Bad input: every case ends in one clear line and exit code 1 (failed) or 2 (wrong usage), and nothing is
// lost.
#include <sys/stat.h>
#include <zlib.h>

#include <algorithm>

#include "app_run.h"
#include "zoo_pictures.h"

using namespace iskra::testing;

namespace {

class AppErrors : public ::testing::Test {
 protected:
  Ran iskra(const std::vector<std::string>& arguments) { return run_iskra(folder_, arguments); }

  /// A short training run on this data.
  Ran train_on(const std::string& data, const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"train",         "--arch",  "vit_mini", "--data",  data, "--out",
                                          folder_ / "run", "--steps", "2",        "--batch", "8"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return iskra(arguments);
  }

  /// A data folder where one file has other bytes.
  std::string data_with(const std::string& name, const std::string& bytes) {
    std::string data = write_pictures(folder_ / "data");
    write_bytes(data + "/" + name, bytes);
    return data;
  }

  bool nothing_written() { return !std::filesystem::exists(folder_ / "run"); }

  Folder folder_;
};

std::string gzip(const std::string& bytes) {
  z_stream z{};
  EXPECT_EQ(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(bytes.size() + 1000, '\0');
  std::string in = bytes;
  z.next_in = reinterpret_cast<Bytef*>(in.data());
  z.avail_in = static_cast<uInt>(in.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&z, Z_FINISH), Z_STREAM_END);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

constexpr const char* kImages = "train-images-idx3-ubyte";
constexpr const char* kLabels = "train-labels-idx1-ubyte";

}  // namespace

TEST_F(AppErrors, Usage) {
  expect_failure(iskra({}), 2, "no command given (see iskra --help)");
  expect_failure(iskra({"trian"}), 2, "unknown command 'trian'; did you mean 'train'? (see iskra --help)");
  expect_failure(iskra({"--verison"}), 2, "unknown flag '--verison' (see iskra --help)");
  expect_failure(iskra({"train", "--bacth", "3"}), 2,
                 "unknown flag '--bacth'; did you mean '--batch'? (see iskra train --help)");
  expect_failure(iskra({"train", "--arch", "vit_mini", "--data", "x"}), 2,
                 "--out is missing (see iskra train --help)");
  expect_failure(iskra({"train", "--out", "x", "--arch", "vit_mini"}), 2,
                 "--data is missing (see iskra train --help)");
  expect_failure(iskra({"train", "--out", "x", "--data", "x"}), 2,
                 "--arch is missing (see iskra train --help)");
  expect_failure(iskra({"finetune", "--out", "x", "--data", "x"}), 2,
                 "--weights is missing (see iskra finetune --help)");
  expect_failure(iskra({"inspect"}), 2, "FILE is missing (see iskra inspect --help)");
  expect_failure(iskra({"bench"}), 2, "bench what? There is: iskra bench model (see iskra bench --help)");
  expect_failure(iskra({"bench", "modle"}), 2,
                 "unknown benchmark 'modle'; did you mean 'model'? (see iskra bench --help)");
  expect_failure(iskra({"bench", "model", "--arch", "vit_mni"}), 2,
                 "--arch: 'vit_mni' is unknown; did you mean 'vit_mini'?; iskra models lists them (see iskra "
                 "bench --help)");
}

TEST_F(AppErrors, AbsurdValues) {
  auto with = [&](const std::vector<std::string>& more) { return train_on("data", more); };
  auto message = [](const std::string& text) { return text + " (see iskra train --help)"; };
  expect_failure_with(with({"--batch", "0"}), 2, "--batch");
  expect_failure(iskra({"train", "--batch", "0"}), 2,
                 message("--batch: 0 is out of range; it must lie in 1 … 65536"));
  expect_failure(with({"--lr", "-1"}), 2, message("--lr: -1 is out of range; it must lie in 0 … 100"));
  expect_failure(with({"--lr", "0"}), 2, message("lr: 0 trains nothing; it must be above 0"));
  expect_failure(with({"--lr", "fast"}), 2, message("--lr: 'fast' is no number; it must lie in 0 … 100"));
  expect_failure(with({"--epochs", "3"}), 2,
                 message("--epochs and --steps both say how long to train; give one of them"));
  expect_failure(with({"--classes", "3"}), 2,
                 message("classes: one class (3) cannot be told from others; give two or more"));
  expect_failure(with({"--classes", "1,x"}), 2,
                 message("--classes: 'x' is no number; it must lie in 0 … 1e+06"));
  expect_failure(with({"--optimizer", "adam"}), 2,
                 message("--optimizer: 'adam' is unknown; choose one of adamw|sgd; did you mean 'adamw'?"));
  expect_failure(with({"--precision", "bf16"}), 2,
                 message("precision: 'bf16' is not in this build; use fp32"));
  expect_failure_with(with({"--device", "cuda:7"}), 2, "cuda:7");
  expect_failure_with(with({"--device", "gpu"}), 2, "gpu");
  EXPECT_TRUE(nothing_written());
}

TEST_F(AppErrors, NoSuchFile) {
  std::string nowhere = folder_ / "nowhere";
  expect_failure(train_on(nowhere), 1, nowhere + ": no such folder; give the one that holds the IDX files");
  expect_failure_with(iskra({"inspect", nowhere}), 1, nowhere);
  expect_failure_with(iskra({"eval", "--weights", nowhere, "--data", folder_.path()}), 1, nowhere);
  expect_failure_with(iskra({"forward", "--weights", nowhere, "--input", "x", "--output", "y"}), 1, nowhere);
  expect_failure_with(train_on(folder_.path()), 1, folder_.path() + ": no IDX");
  EXPECT_TRUE(nothing_written());
}

TEST_F(AppErrors, DamagedData) {
  expect_failure_with(train_on(data_with(kImages, idx_labels_bytes(96))), 1, "wrong magic number 0x00000801");
  expect_failure_with(train_on(data_with(kImages, "not an IDX file")), 1, "wrong magic number");
  expect_failure_with(train_on(data_with(kImages, idx_pictures_bytes(96, 1).substr(0, 500))), 1, "truncated");
  expect_failure_with(train_on(data_with(kLabels, idx_labels_bytes(95))), 1, "has 96 pictures, but ");
  expect_failure_with(train_on(data_with(kImages, "")), 1, "the file is empty");
  std::string data = write_pictures(folder_ / "data");
  std::filesystem::remove(data + "/" + kImages);
  std::string packed = gzip(idx_pictures_bytes(96, 1));
  write_bytes(data + "/" + kImages + ".gz", packed.substr(0, packed.size() / 2));
  expect_failure_with(train_on(data), 1, "the gzip data is truncated");
  packed[packed.size() / 2] = static_cast<char>(~packed[packed.size() / 2]);
  write_bytes(data + "/" + kImages + ".gz", packed);
  expect_failure_with(train_on(data), 1, "the gzip data is damaged");
  EXPECT_TRUE(nothing_written());
}

TEST_F(AppErrors, OneClassOnly) {
  std::string labels = big_endian(0x801) + big_endian(96) + std::string(96, '\0');
  expect_failure_with(train_on(data_with(kLabels, labels)), 1, "one class");
  expect_failure_with(train_on(write_pictures(folder_ / "data"), {"--classes", "1,9"}), 1,
                      "classes: 9 is no label of ");
  EXPECT_TRUE(nothing_written());
}

TEST_F(AppErrors, WrongPictures) {
  std::string data = write_pictures(folder_ / "data");
  expect_failure_with(
      iskra({"train", "--arch", "vit_base_patch16_224", "--data", data, "--out", folder_ / "run"}), 1,
      "pictures of 8 pixels do not divide into patches of 16");
  EXPECT_TRUE(nothing_written());
}

TEST_F(AppErrors, DamagedWeights) {
  std::string weights = folder_ / "w.safetensors", data = write_pictures(folder_ / "data");
  auto finetune = [&](const std::string& bytes) {
    write_bytes(weights, bytes);
    return iskra(
        {"finetune", "--weights", weights, "--data", data, "--out", folder_ / "run", "--steps", "2"});
  };
  auto file = [](const std::string& header, const std::string& body) {
    std::string length(8, '\0');
    for (size_t i = 0; i < 8; ++i) length[i] = static_cast<char>(header.size() >> (8 * i) & 255);
    return length + header + body;
  };
  const std::string one = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  expect_failure_with(finetune(""), 1, weights);
  expect_failure_with(finetune("PK\x03\x04 is no safetensors file"), 1, weights);
  expect_failure_with(finetune(file(one, "1234")), 1, weights);
  expect_failure_with(finetune(std::string(8, '\xFF') + "{}"), 1, weights);
  expect_failure_with(finetune(file(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", "12345678")),
                      1, weights);
  expect_failure_with(finetune(file(one, "12345678")), 1, "does not say its architecture; give --arch");
  std::string other =
      R"({"__metadata__":{"arch":"vit_mini"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  expect_failure_with(finetune(file(other, "12345678")), 1, weights);
  EXPECT_TRUE(nothing_written());
  for (const std::string& bytes : {std::string("PK"), file(one, "1234")}) {
    write_bytes(weights, bytes);
    expect_failure_with(iskra({"inspect", weights}), 1, weights);
  }
}

TEST_F(AppErrors, UnwritableOutputIsFoundBeforeTraining) {
  std::string data = write_pictures(folder_ / "data");
  write_bytes(folder_ / "file", "precious");
  Ran ran = iskra({"train", "--arch", "vit_mini", "--data", data, "--out", folder_ / "file" + "/run"});
  expect_failure_with(ran, 1, folder_ / "file");
  EXPECT_EQ(read_bytes(folder_ / "file"), "precious");
  expect_failure_with(iskra({"train", "--arch", "vit_mini", "--data", data, "--out", folder_ / "file"}), 1,
                      folder_ / "file");
  expect_failure_with(iskra({"train", "--arch", "vit_mini", "--data", data, "--out", "/proc/iskra"}), 1,
                      "/proc/iskra");
  EXPECT_EQ(read_bytes(folder_ / "file"), "precious");
}

TEST_F(AppErrors, RunsAreNeverOverwrittenOrMixed) {
  std::string data = write_pictures(folder_ / "data"), run = folder_ / "run";
  EXPECT_EQ(train_on(data).code, 0);
  std::string best = read_bytes(run + "/best.safetensors");
  expect_failure(train_on(data), 1,
                 "out: " + run + " already holds a run; continue it with --resume, or choose another --out");
  expect_failure(
      train_on(data, {"--resume", "--lr", "0.5", "--seed", "3"}), 1,
      "resume: the run in " + run +
          " has other options: lr (run: 0.001, now: 0.5), seed (run: 0, now: 3); leave these flags out to "
          "continue it, or choose another --out");
  expect_failure(iskra({"train", "--resume", "--out", folder_ / "none"}), 1,
                 "resume: " + (folder_ / "none") + " holds no run (there is no config.json in it)");
  EXPECT_EQ(read_bytes(run + "/best.safetensors"), best);
}

TEST_F(AppErrors, DamagedRunFolder) {
  std::string data = write_pictures(folder_ / "data"), run = folder_ / "run";
  EXPECT_EQ(train_on(data).code, 0);
  std::string config = read_bytes(run + "/config.json");
  write_bytes(run + "/config.json", "{\"options\": {\"bath\": 3}}");
  expect_failure_with(iskra({"train", "--resume", "--out", run}), 1,
                      "config.json: options: 'bath' is unknown");
  write_bytes(run + "/config.json", config.substr(0, 30));
  expect_failure_with(iskra({"train", "--resume", "--out", run}), 1, "config.json: no valid JSON");
  write_bytes(run + "/config.json", config);
  for (const auto& entry : std::filesystem::directory_iterator(run + "/checkpoints")) {
    std::string file = entry.path().string() + "/model.safetensors", bytes = read_bytes(file);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write_bytes(file, bytes);
  }
  expect_failure_with(iskra({"train", "--resume", "--out", run}), 1, "checkpoints");
}

TEST_F(AppErrors, FullDiskBehindStdout) {
  std::string script =
      std::string("'") + ISKRA_PROGRAM + "' models > /dev/full 2> '" + (folder_ / "err") + "'";
  int status = std::system(script.c_str());
  EXPECT_EQ(WEXITSTATUS(status), 1);
  EXPECT_EQ(read_bytes(folder_ / "err"), "iskra: error: stdout: No space left on device\n");
}

TEST_F(AppErrors, WrongTensorsForForwardAndPredict) {
  std::string data = write_pictures(folder_ / "data"), weights = folder_ / "run/best.safetensors";
  EXPECT_EQ(train_on(data).code, 0);
  write_bytes(folder_ / "x.npy", "no array");
  std::vector<std::string> forward = {"forward",         "--weights", weights,          "--input",
                                      folder_ / "x.npy", "--output",  folder_ / "y.npy"};
  expect_failure(iskra(forward), 1,
                 (folder_ / "x.npy") + ": no .npy file (it does not start with \\x93NUMPY)");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "y.npy"));
  expect_failure(iskra({"predict", "--weights", weights, "--data", data, "--index", "3,40"}), 1,
                 "index: there is no picture 40 in " + data + ", which has 40");
  expect_failure_with(iskra({"eval", "--weights", weights, "--data", data, "--classes", "0,1"}), 1,
                      "the model gives 4 classes, but ");
}
