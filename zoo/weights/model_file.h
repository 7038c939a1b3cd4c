// A trained model in one safetensors file: its tensors under their full names, and what a user needs to run
// it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <iskra/nn/module.h>

namespace iskra::zoo {

/// What a file says about its model, kept in its metadata.
struct ModelInfo {
  std::string arch = {};                  ///< name in the zoo
  std::vector<std::string> classes = {};  ///< names, in the order of the logits
  int64_t image_size = 0;                 ///< side of the pictures in pixels; 0 when unknown
  int64_t channels = 0;
  std::vector<float> mean = {}, std = {};         ///< per channel, of pixels in [0, 1]
  std::string head = {};                          ///< name of the last linear layer
  std::map<std::string, std::string> extra = {};  ///< any other metadata
};

std::map<std::string, std::string> to_metadata(const ModelInfo& info);
/// Throws Error naming `path` and the key that does not parse.
ModelInfo from_metadata(const std::map<std::string, std::string>& metadata, const std::string& path);
/// Reads only the header.
ModelInfo read_model_info(const std::string& path);

/// Writes the module's state atomically. An empty `info.head` is filled in by find_head().
void save(nn::Module& module, const std::string& path, const ModelInfo& info = {});

struct LoadOptions {
  std::string head = {};    ///< name of the last linear layer; "": the file's metadata, else find_head()
  bool reset_head = false;  ///< leave the head at its initial values even if its shape fits
  bool partial = false;     ///< allow missing and unexpected tensors outside the head
};

struct LoadReport {
  ModelInfo info;
  std::string head;                     ///< name of the head, "" when the model has none
  std::vector<std::string> loaded;      ///< names
  std::vector<std::string> reset;       ///< the head's tensors that kept their initial values
  std::vector<std::string> missing;     ///< in the model, not in the file
  std::vector<std::string> unexpected;  ///< in the file, not in the model
  std::vector<std::string> warnings;    ///< one line each
  /// "loaded 150 tensors; head (5 classes in the file, 10 in the model) starts from its initial values"
  std::string summary;
};

/// Fills the module from a file, in place and converting between floating dtypes. A head with another number
/// of classes keeps its initial values (see report.reset); any other difference throws Error, naming tensors
/// and shapes, before anything was changed.
LoadReport load(nn::Module& module, const std::string& path, const LoadOptions& options = {});

/// Name of the module's last linear layer: "head", else the last of classifier.N (or classifier); "" without
/// one.
std::string find_head(nn::Module& module);

}  // namespace iskra::zoo
