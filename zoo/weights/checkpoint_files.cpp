#include <iskra/zoo/weights/checkpoint_files.h>

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <iskra/kernels/check.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/weights/files.h>
#include <iskra/zoo/weights/quote.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {
namespace {

constexpr int kVersion = 1;
constexpr const char* kFormat = "iskra-checkpoint";
constexpr const char* kModel = "model.safetensors";
constexpr const char* kOptimizer = "optimizer.safetensors";
constexpr const char* kState = "state.json";
constexpr const char* kManifest = "MANIFEST.json";
constexpr uint64_t kLargestJson = 16 << 20;

// A manifest ends with the hash of everything before these bytes.
constexpr std::string_view kBeforeHash = ",\n  \"manifest_xxh3_128\": \"";
constexpr std::string_view kAfterHash = "\"\n}\n";
constexpr size_t kHashDigits = 32;

struct ManifestFile {
  std::string name;
  Written written;
};
struct Manifest {
  int64_t step = 0;
  std::vector<ManifestFile> files;
};

std::string folder_name(int64_t step) {
  char name[40];
  std::snprintf(name, sizeof(name), "step-%08lld", static_cast<long long>(step));
  return name;
}

// The step in a checkpoint's folder name, or -1 for any other name.
int64_t step_of(const std::string& name) {
  constexpr std::string_view kPrefix = "step-";
  constexpr size_t kMostDigits = 18;
  if (!name.starts_with(kPrefix) || name.size() > kPrefix.size() + kMostDigits) return -1;
  int64_t step = 0;
  for (char c : std::string_view(name).substr(kPrefix.size())) {
    if (c < '0' || c > '9') return -1;
    step = step * 10 + (c - '0');
  }
  return folder_name(step) == name ? step : -1;
}

std::string name_in(const std::string& path) {
  size_t end = path.find_last_not_of('/');
  if (end == std::string::npos) return "";
  size_t slash = path.find_last_of('/', end);
  return path.substr(slash == std::string::npos ? 0 : slash + 1,
                     end - (slash == std::string::npos ? 0 : slash + 1) + 1);
}

std::string manifest_text(const Manifest& manifest) {
  std::string json = text("{\n  \"format\": \"", kFormat, "\",\n  \"version\": ", kVersion,
                          ",\n  \"step\": ", manifest.step, ",\n  \"files\": [");
  const char* comma = "";
  for (const ManifestFile& file : manifest.files) {
    json += text(comma, "\n    {\"name\": \"", file.name, "\", \"bytes\": ", file.written.bytes,
                 ", \"xxh3_128\": \"", file.written.hash, "\"}");
    comma = ",";
  }
  json += "\n  ]";
  return text(json, std::string(kBeforeHash), hash_bytes(json), std::string(kAfterHash));
}

// Checks the manifest's own hash; the JSON is looked at only when it is right.
void check_own_hash(const std::string& json, const std::string& path) {
  const char* damaged = ": is damaged (its own hash is wrong)";
  size_t tail = kBeforeHash.size() + kHashDigits + kAfterHash.size();
  ISKRA_CHECK(json.size() > tail, path, damaged);
  std::string_view all = json;
  size_t body = json.size() - tail;
  ISKRA_CHECK(all.substr(body, kBeforeHash.size()) == kBeforeHash && all.ends_with(kAfterHash) &&
                  all.substr(body + kBeforeHash.size(), kHashDigits) == hash_bytes(all.substr(0, body)),
              path, damaged);
}

Manifest read_manifest(const std::string& folder) {
  std::string path = folder + "/" + kManifest;
  std::string json = read_file(path, kLargestJson);
  check_own_hash(json, path);
  Json tree = parse_json(json, path);
  Manifest manifest;
  try {
    ISKRA_CHECK(tree.at("format") == kFormat, path, ": is no manifest of a checkpoint");
    int64_t version = tree.at("version");
    ISKRA_CHECK(version == kVersion, path, ": has format version ", version, ", this iskra reads ", kVersion,
                "; use the iskra that wrote it, or a newer one");
    manifest.step = tree.at("step");
    for (const Json& file : tree.at("files")) {
      std::string name = file.at("name");
      bool plain = !name.empty() && name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos &&
                   name.front() != '.';
      ISKRA_CHECK(plain, path, ": ", in_quotes(name),
                  " is no plain file name; such a file is never followed");
      manifest.files.push_back({name, {file.at("bytes"), file.at("xxh3_128")}});
    }
  } catch (const Json::exception&) {
    throw Error(text(path, ": is no manifest of a checkpoint"));
  }
  return manifest;
}

// Everything the manifest promises is there, bit for bit.
void check_files(const std::string& folder, const Manifest& manifest) {
  int64_t named = step_of(name_in(folder));
  ISKRA_CHECK(named < 0 || named == manifest.step, folder, ": holds step ", manifest.step,
              "; it was renamed");
  for (const char* needed : {kModel, kOptimizer, kState}) {
    auto is_needed = [&](const ManifestFile& file) { return file.name == needed; };
    ISKRA_CHECK(std::count_if(manifest.files.begin(), manifest.files.end(), is_needed) == 1, folder,
                ": its manifest does not list ", needed, " once");
  }
  for (const ManifestFile& file : manifest.files) {
    std::string path = folder + "/" + file.name;
    uint64_t bytes = ReadFile(path).size();
    ISKRA_CHECK(bytes == file.written.bytes, path, ": is damaged: it has ", bytes,
                " bytes, its checkpoint was written with ", file.written.bytes);
    ISKRA_CHECK(hash_file(path) == file.written.hash, path,
                ": is damaged: its bytes are not those that were written (XXH3-128 differs)");
  }
}

// Out of sight first, so that a kill in the middle leaves no half-removed checkpoint under a valid name.
void discard(const std::string& folder, const std::string& name) {
  std::string trash = folder + "/.trash-" + name;
  remove_all(trash);
  int error = std::rename((folder + "/" + name).c_str(), trash.c_str()) == 0 ? 0 : errno;
  ISKRA_CHECK(error == 0, folder, "/", name, ": cannot remove the old checkpoint: ", std::strerror(error));
  remove_all(trash);
}

// Called after `step` was written and verified.
void retain(const std::string& folder, int64_t step, int keep) {
  std::vector<std::string> names = list_folder(folder);
  std::sort(names.begin(), names.end(), [](const auto& a, const auto& b) { return step_of(a) > step_of(b); });
  int kept = 0;
  for (const std::string& name : names) {
    int64_t at = step_of(name);
    if (at < 0) continue;
    if (at > step) {
      // A run that was taken up again before a damaged checkpoint has now passed it by.
      try {
        verify_checkpoint(folder + "/" + name);
      } catch (const Error&) {
        discard(folder, name);
      }
    } else if (++kept > keep && keep > 0) {
      discard(folder, name);
    }
  }
}

}  // namespace

std::string save_checkpoint(const std::string& folder, const Checkpoint& checkpoint, int keep) {
  ISKRA_CHECK(checkpoint.step >= 0, folder, ": a checkpoint's step cannot be negative, it is ",
              checkpoint.step);
  ISKRA_CHECK(keep >= 0, folder, ": cannot keep ", keep, " checkpoints; 0 keeps all");
  parse_json(checkpoint.state, folder + ": the state of a checkpoint");
  make_folders(folder);
  clean_checkpoints(folder);
  std::string path = folder + "/" + folder_name(checkpoint.step);
  std::string temporary = text(path, ".tmp-", static_cast<int64_t>(getpid()));
  make_folders(temporary);
  try {
    Manifest manifest{checkpoint.step, {}};
    manifest.files.push_back(
        {kModel, write_safetensors(temporary + "/" + kModel, checkpoint.model, checkpoint.metadata)});
    manifest.files.push_back(
        {kOptimizer, write_safetensors(temporary + "/" + kOptimizer, checkpoint.optimizer)});
    manifest.files.push_back({kState, atomic_write(temporary + "/" + kState, checkpoint.state)});
    atomic_write(temporary + "/" + kManifest, manifest_text(manifest));
    commit_directory(temporary, path);
  } catch (...) {
    try {
      remove_all(temporary);
    } catch (const Error&) {  // the first error is the one to report
    }
    throw;
  }
  verify_checkpoint(path);
  retain(folder, checkpoint.step, keep);
  return path;
}

void verify_checkpoint(const std::string& path) { check_files(path, read_manifest(path)); }

Checkpoint load_checkpoint(const std::string& path) {
  ISKRA_CHECK(folder_exists(path), path, ": no such checkpoint");
  Manifest manifest = read_manifest(path);
  check_files(path, manifest);
  Checkpoint checkpoint;
  checkpoint.step = manifest.step;
  SafetensorsFile model = SafetensorsFile::open(path + "/" + kModel);
  checkpoint.model = model.read_all();
  checkpoint.metadata = model.metadata();
  checkpoint.optimizer = SafetensorsFile::open(path + "/" + kOptimizer).read_all();
  checkpoint.state = read_file(path + "/" + kState);
  return checkpoint;
}

std::optional<LoadedCheckpoint> load_latest_checkpoint(const std::string& folder) {
  std::vector<std::string> paths = list_checkpoints(folder);
  if (paths.empty()) return {};
  LoadedCheckpoint loaded;
  for (auto path = paths.rbegin(); path != paths.rend(); ++path) {
    try {
      loaded.checkpoint = load_checkpoint(*path);
      loaded.path = *path;
      return loaded;
    } catch (const Error& error) {
      loaded.warnings.push_back(text("checkpoint skipped: ", error.what()));
    }
  }
  throw Error(text(folder, ": none of its ", static_cast<uint64_t>(paths.size()),
                   " checkpoints can be used; the newest: ", loaded.warnings.front()));
}

std::vector<std::string> list_checkpoints(const std::string& folder) {
  std::vector<std::pair<int64_t, std::string>> found;
  if (!folder_exists(folder)) return {};
  for (const std::string& name : list_folder(folder)) {
    std::string path = folder + "/" + name;
    if (int64_t step = step_of(name); step >= 0 && folder_exists(path)) found.emplace_back(step, path);
  }
  std::sort(found.begin(), found.end());
  std::vector<std::string> paths;
  for (auto& [step, path] : found) paths.push_back(std::move(path));
  return paths;
}

void clean_checkpoints(const std::string& folder) {
  if (!folder_exists(folder)) return;
  for (const std::string& name : list_folder(folder)) {
    size_t mark = name.find(".tmp-");
    bool unfinished = mark != std::string::npos && step_of(name.substr(0, mark)) >= 0;
    if (unfinished || name.starts_with(".trash-")) remove_all(folder + "/" + name);
  }
}

}  // namespace iskra::zoo
