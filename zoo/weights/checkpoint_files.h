// Checkpoints on disk. One checkpoint is a folder step-00000120/ with model.safetensors,
// optimizer.safetensors, state.json and, written last, MANIFEST.json: lengths and hashes of the three, and a
// hash of itself. The folder is made under a temporary name and renamed, so a process killed at any moment
// leaves the last checkpoint as it was.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <iskra/nn/module.h>

namespace iskra::zoo {

/// What a checkpoint holds, as plain data. `state` is a JSON text of the trainer's own (epoch, position,
/// seeds, …).
struct Checkpoint {
  int64_t step = 0;
  std::vector<nn::Named> model = {};
  std::vector<nn::Named> optimizer = {};
  std::string state = "{}";
  std::map<std::string, std::string> metadata =
      {};  ///< of model.safetensors, see to_metadata() in model_file.h
};

struct LoadedCheckpoint {
  std::string path;
  Checkpoint checkpoint;
  std::vector<std::string> warnings;  ///< newer checkpoints that are damaged, one line each
};

/// Writes one checkpoint into `folder` (made when missing) and returns its path. Older ones beyond the newest
/// `keep` are removed only after the new one was read back and verified; 0 keeps all.
std::string save_checkpoint(const std::string& folder, const Checkpoint& checkpoint, int keep = 2);

/// The newest intact checkpoint; none when the folder is missing or has no checkpoint. Throws Error when
/// there are checkpoints but all are damaged. Every byte is verified before anything is used.
std::optional<LoadedCheckpoint> load_latest_checkpoint(const std::string& folder);

/// The checkpoint in this very folder (…/step-00000120); throws Error saying what is damaged.
Checkpoint load_checkpoint(const std::string& path);

/// Checks every length and hash without keeping the tensors; throws Error saying what is damaged.
void verify_checkpoint(const std::string& path);

/// Paths of the checkpoint folders, oldest first; not verified.
std::vector<std::string> list_checkpoints(const std::string& folder);

/// Removes what a killed process left behind (*.tmp-*, .trash-*). Only for the one process that writes there.
void clean_checkpoints(const std::string& folder);

}  // namespace iskra::zoo
