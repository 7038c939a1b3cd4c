// Checkpoints: what is written comes back, damage of any byte is seen, and a process killed at any moment
// loses nothing that was saved.
#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <random>

#include <iskra/zoo/weights/checkpoint_files.h>
#include <iskra/zoo/weights/files.h>
#include <iskra/zoo/weights/safetensors.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::Folder;
using iskra::testing::overwrite;
using iskra::testing::read_bytes;
using iskra::testing::write_bytes;

Checkpoint checkpoint_of(int64_t step) {
  auto value = static_cast<float>(step);
  return {.step = step,
          .model = {{"w", Tensor::of<float>({value, 1, 2, 3, 4, 5}, {2, 3})},
                    {"n", Tensor::of<int64_t>({step}, {1})}},
          .optimizer = {{"m.w", Tensor::full({2, 3}, -value)},
                        {"v.w", Tensor::full({2, 3}, 0.5, {.dtype = DType::f64})}},
          .state = "{\"epoch\": 3, \"step\": " + std::to_string(step) + "}",
          .metadata = {{"arch", "tiny"}, {"format", "pt"}}};
}

const Tensor& tensor_of(const std::vector<nn::Named>& all, const std::string& name) {
  for (const nn::Named& named : all) {
    if (named.name == name) return named.tensor;
  }
  throw Error("no tensor " + name);
}

/// Everything in `loaded` is what checkpoint_of(step) holds.
void expect_intact(const Checkpoint& loaded, int64_t step) {
  EXPECT_EQ(loaded.step, step);
  ASSERT_EQ(loaded.model.size(), 2U);
  ASSERT_EQ(loaded.optimizer.size(), 2U);
  EXPECT_EQ(tensor_of(loaded.model, "w").to_vector<float>(),
            (std::vector<float>{static_cast<float>(step), 1, 2, 3, 4, 5}));
  EXPECT_EQ(tensor_of(loaded.model, "w").shape(), Shape({2, 3}));
  EXPECT_EQ(tensor_of(loaded.model, "n").to_vector<int64_t>(), std::vector<int64_t>{step});
  EXPECT_EQ(tensor_of(loaded.optimizer, "m.w").to_vector<float>(),
            std::vector<float>(6, static_cast<float>(-step)));
  EXPECT_EQ(tensor_of(loaded.optimizer, "v.w").to_vector<double>(), std::vector<double>(6, 0.5));
  EXPECT_EQ(loaded.state, checkpoint_of(step).state);
  EXPECT_EQ(loaded.metadata, checkpoint_of(step).metadata);
}

const std::vector<std::string> kFiles = {"MANIFEST.json", "model.safetensors", "optimizer.safetensors",
                                         "state.json"};

TEST(Checkpoints, ComeBack) {
  Folder folder;
  std::string run = folder / "run/checkpoints";
  EXPECT_FALSE(load_latest_checkpoint(run).has_value());
  EXPECT_EQ(save_checkpoint(run, checkpoint_of(120)), run + "/step-00000120");
  EXPECT_EQ(list_folder(run), std::vector<std::string>{"step-00000120"});
  EXPECT_EQ(list_folder(run + "/step-00000120"), kFiles);
  auto loaded = load_latest_checkpoint(run);
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->path, run + "/step-00000120");
  EXPECT_TRUE(loaded->warnings.empty());
  expect_intact(loaded->checkpoint, 120);
  // The weights in it are an ordinary file for other programs.
  EXPECT_EQ(SafetensorsFile::open(run + "/step-00000120/model.safetensors").metadata().at("arch"), "tiny");
}

TEST(Checkpoints, TheHighestStepWinsAndOldOnesGo) {
  Folder folder;
  // Digits grow, so that an order by name would be wrong.
  for (int64_t step : {0, 7, 99'999'999, 100'000'000, 1'000'000'000}) {
    save_checkpoint(folder.path(), checkpoint_of(step));
    expect_intact(load_latest_checkpoint(folder.path())->checkpoint, step);
  }
  EXPECT_EQ(list_checkpoints(folder.path()),
            (std::vector<std::string>{folder / "step-100000000", folder / "step-1000000000"}));
  save_checkpoint(folder.path(), checkpoint_of(1'000'000'001), 0);
  EXPECT_EQ(list_checkpoints(folder.path()).size(), 3U) << "0 keeps all";
  save_checkpoint(folder.path(), checkpoint_of(1'000'000'002), 1);
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"step-1000000002"});
}

TEST(Checkpoints, TheSameStepIsReplaced) {
  Folder folder;
  Checkpoint first = checkpoint_of(5);
  first.state = "{\"old\": true}";
  save_checkpoint(folder.path(), first);
  save_checkpoint(folder.path(), checkpoint_of(5));
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"step-00000005"});
  expect_intact(load_latest_checkpoint(folder.path())->checkpoint, 5);
}

TEST(Checkpoints, AnyFlippedByteIsSeen) {
  Folder folder;
  std::string path = save_checkpoint(folder.path(), checkpoint_of(1));
  for (const std::string& name : kFiles) {
    std::string file = path + "/" + name, whole = read_bytes(file);
    for (size_t at = 0; at < whole.size(); ++at) {
      for (int flip : {0x01, 0x20, 0xFF}) {
        overwrite(file, at, static_cast<char>(whole[at] ^ flip));
        EXPECT_ERROR(verify_checkpoint(path), file + ": is damaged");
      }
      overwrite(file, at, whole[at]);
    }
  }
  expect_intact(load_checkpoint(path), 1);
}

TEST(Checkpoints, AnyCutIsSeen) {
  Folder folder;
  std::string path = save_checkpoint(folder.path(), checkpoint_of(1));
  for (const std::string& name : kFiles) {
    std::string file = path + "/" + name, whole = read_bytes(file);
    for (size_t length = whole.size(); length-- > 0;) {
      std::filesystem::resize_file(file, length);
      EXPECT_ERROR(verify_checkpoint(path), file + ": is damaged");
    }
    write_bytes(file, whole + "x");
    EXPECT_ERROR(verify_checkpoint(path), file + ": is damaged");
    std::filesystem::remove(file);
    EXPECT_ERROR(verify_checkpoint(path), file + ": no such file");
    write_bytes(file, whole);
  }
  expect_intact(load_checkpoint(path), 1);
}

TEST(Checkpoints, ADamagedOneIsReportedAndTheOlderUsed) {
  Folder folder;
  save_checkpoint(folder.path(), checkpoint_of(1), 0);
  std::string middle = save_checkpoint(folder.path(), checkpoint_of(2), 0);
  std::string newest = save_checkpoint(folder.path(), checkpoint_of(3), 0);
  std::string weights = read_bytes(newest + "/model.safetensors");
  weights.back() = static_cast<char>(weights.back() ^ 1);
  write_bytes(newest + "/model.safetensors", weights);
  std::filesystem::remove(middle + "/MANIFEST.json");
  auto loaded = load_latest_checkpoint(folder.path());
  ASSERT_TRUE(loaded.has_value());
  expect_intact(loaded->checkpoint, 1);
  ASSERT_EQ(loaded->warnings.size(), 2U);
  EXPECT_EQ(loaded->warnings[0],
            "checkpoint skipped: " + newest +
                "/model.safetensors: is damaged: its bytes are not those that were written "
                "(XXH3-128 differs)");
  EXPECT_EQ(loaded->warnings[1],
            "checkpoint skipped: " + middle + "/MANIFEST.json: no such file; check the path");
  // Taken up from step 1, the run passes the damaged ones by: they go, whatever their step.
  save_checkpoint(folder.path(), checkpoint_of(2), 1);
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"step-00000002"});
  EXPECT_TRUE(load_latest_checkpoint(folder.path())->warnings.empty());
}

TEST(Checkpoints, AllDamagedIsAnError) {
  Folder folder;
  for (int64_t step : {1, 2}) {
    std::filesystem::remove(save_checkpoint(folder.path(), checkpoint_of(step)) + "/state.json");
  }
  EXPECT_ERROR(load_latest_checkpoint(folder.path()),
               ": none of its 2 checkpoints can be used; the newest: checkpoint skipped: ");
  EXPECT_ERROR(load_checkpoint(folder / "step-00000009"), "step-00000009: no such checkpoint");
}

TEST(Checkpoints, LeftoversOfKilledProcessesGo) {
  Folder folder;
  save_checkpoint(folder.path(), checkpoint_of(1));
  std::filesystem::copy(folder / "step-00000001", folder / "step-00000002.tmp-77");
  std::filesystem::copy(folder / "step-00000001", folder / ".trash-step-00000000");
  write_bytes(folder / "notes.tmp-1", "a person's");
  expect_intact(load_latest_checkpoint(folder.path())->checkpoint, 1);
  save_checkpoint(folder.path(), checkpoint_of(3));
  EXPECT_EQ(list_folder(folder.path()),
            (std::vector<std::string>{"notes.tmp-1", "step-00000001", "step-00000003"}));
}

/// Replaces `from` in a manifest and gives it a right hash of its own.
void forge_manifest(const std::string& path, const std::string& from, const std::string& to) {
  std::string json = read_bytes(path);
  std::string body = json.substr(0, json.find(",\n  \"manifest_xxh3_128\""));
  ASSERT_NE(body.find(from), std::string::npos);
  body.replace(body.find(from), from.size(), to);
  write_bytes(path, body + ",\n  \"manifest_xxh3_128\": \"" + hash_bytes(body) + "\"\n}\n");
}

TEST(Checkpoints, ForgedManifests) {
  const std::tuple<const char*, const char*, const char*> kForgeries[] = {
      {"model.safetensors", "../model.safetensors", "\"../model.safetensors\" is no plain file name"},
      {"model.safetensors", "/etc/passwd", "\"/etc/passwd\" is no plain file name"},
      {"model.safetensors", "..", "\"..\" is no plain file name"},
      {"model.safetensors", "a\\u0000b", "\"a\\x00b\" is no plain file name"},
      {"model.safetensors", "a\\\\b", "is no plain file name"},
      {"model.safetensors", "state.json", "its manifest does not list model.safetensors once"},
      {"\"version\": 1", "\"version\": 2", "has format version 2, this iskra reads 1"},
      {"\"version\": 1", "\"version\": \"1\"", "is no manifest of a checkpoint"},
      {"iskra-checkpoint", "other", "is no manifest of a checkpoint"},
      {"\"step\": 4", "\"step\": 5", "holds step 5; it was renamed"},
      {"\"files\": [", "\"files\": [[], ", "is no manifest of a checkpoint"},
      {"{\n", "{{\n", "no valid JSON"},
      {"\"bytes\": ", "\"bytes\": 9", "is damaged: it has "},
  };
  for (const auto& [from, to, message] : kForgeries) {
    Folder folder;
    std::string path = save_checkpoint(folder.path(), checkpoint_of(4));
    forge_manifest(path + "/MANIFEST.json", from, to);
    EXPECT_ERROR(load_checkpoint(path), message);
  }
}

TEST(Checkpoints, WhatCannotBeSaved) {
  Folder folder;
  Checkpoint bad = checkpoint_of(1);
  bad.state = "{\"half\": ";
  EXPECT_ERROR(save_checkpoint(folder.path(), bad), "the state of a checkpoint: no valid JSON");
  EXPECT_ERROR(save_checkpoint(folder.path(), checkpoint_of(-1)),
               "a checkpoint's step cannot be negative, it is -1");
  EXPECT_ERROR(save_checkpoint(folder.path(), checkpoint_of(1), -1),
               "cannot keep -1 checkpoints; 0 keeps all");
  bad = checkpoint_of(1);
  bad.optimizer.push_back(bad.optimizer[0]);
  EXPECT_ERROR(save_checkpoint(folder.path(), bad), "two tensors are called \"m.w\"");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{}) << "nothing half-written stays";
  write_bytes(folder / "file", "x");
  EXPECT_ERROR(save_checkpoint(folder / "file", checkpoint_of(1)),
               "/file: cannot make the folder: Not a directory");
}

/// A checkpoint_writer, its stdout in a pipe.
class Writer {
 public:
  Writer(const std::string& folder, int64_t first_step) {
    int ends[2];
    if (pipe(ends) != 0) throw Error("no pipe");
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    std::string program = ISKRA_CHECKPOINT_WRITER, place = folder, step = std::to_string(first_step);
    char* words[] = {program.data(), place.data(), step.data(), nullptr};
    int error = posix_spawn(&child_, program.c_str(), &actions, nullptr, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    pipe_ = ends[0];
    if (error != 0) throw Error("cannot start " + program);
  }
  /// Waits for one saved step; -1 at the end.
  int64_t saved() {
    int64_t step = -1;
    return read(pipe_, &step, sizeof(step)) == sizeof(step) ? step : -1;
  }
  void kill_now() {
    kill(child_, SIGKILL);
    int status = 0;
    waitpid(child_, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself";
  }
  ~Writer() { close(pipe_); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

 private:
  pid_t child_ = -1;
  int pipe_ = -1;
};

TEST(Checkpoints, AKilledProcessLosesNothingThatWasSaved) {
  constexpr int kKills = 20;
  Folder folder;
  std::minstd_rand random(7);
  std::uniform_int_distribution<int> microseconds(0, 20'000);
  int64_t last = 0;
  for (int i = 0; i < kKills; ++i) {
    Writer writer(folder.path(), last + 1);
    int64_t saved = writer.saved();
    ASSERT_GT(saved, last);
    usleep(static_cast<useconds_t>(microseconds(random)));
    writer.kill_now();
    for (int64_t more = writer.saved(); more >= 0; more = writer.saved()) saved = more;

    auto loaded = load_latest_checkpoint(folder.path());
    ASSERT_TRUE(loaded.has_value());
    EXPECT_TRUE(loaded->warnings.empty()) << loaded->warnings[0];
    const Checkpoint& found = loaded->checkpoint;
    EXPECT_GE(found.step, saved) << "a step that was reported as saved is gone";
    EXPECT_LE(found.step, saved + 1);
    auto value = static_cast<float>(found.step);
    EXPECT_EQ(tensor_of(found.model, "w").to_vector<float>(), std::vector<float>(97 * 31, value));
    EXPECT_EQ(tensor_of(found.optimizer, "m.w").to_vector<float>(), std::vector<float>(97 * 31, -value));
    EXPECT_EQ(found.state, "{\"step\": " + std::to_string(found.step) + "}");
    last = found.step;
  }
}

}  // namespace
}  // namespace iskra::zoo
