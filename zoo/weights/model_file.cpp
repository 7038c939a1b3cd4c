#include <iskra/zoo/weights/model_file.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

#include <iskra/core/context.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/weights/quote.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {
namespace {

// The shortest text that reads back as the same floats.
std::string json_list(const std::vector<float>& values) {
  std::string out = "[";
  for (float value : values) {
    char digits[32];
    char* end = std::to_chars(std::begin(digits), std::end(digits), value).ptr;
    out += text(out.size() > 1 ? ", " : "", std::string(digits, end));
  }
  return out + "]";
}

template <class T>
std::optional<T> from_json(const std::string& json) {
  constexpr uint64_t kLargest = 1 << 20;
  try {
    Json tree = Json::parse(json);
    // The library would turn 1e9, -1 and true into integers.
    bool sound = !std::is_integral_v<T> || (tree.is_number_unsigned() && tree.get<uint64_t>() <= kLargest);
    return sound ? std::optional<T>(tree.get<T>()) : std::nullopt;
  } catch (const Json::exception&) {
    return {};
  }
}

// The value of one key of the metadata, taken out of it; the default when there is no such key.
template <class T>
T take(std::map<std::string, std::string>& metadata, const char* key, const std::string& path) {
  auto found = metadata.find(key);
  if (found == metadata.end()) return {};
  std::optional<T> value = from_json<T>(found->second);
  ISKRA_CHECK(value.has_value(), path, ": metadata ", key, " is ", in_quotes(found->second),
              ", which is not what iskra writes; save the model again");
  metadata.erase(found);
  return *value;
}

std::string take_text(std::map<std::string, std::string>& metadata, const char* key) {
  auto found = metadata.find(key);
  if (found == metadata.end()) return "";
  std::string value = std::move(found->second);
  metadata.erase(found);
  return value;
}

bool within(const std::string& name, const std::string& module) {
  return !module.empty() && name.size() > module.size() && name.starts_with(module) &&
         name[module.size()] == '.';
}

bool has_module(const std::vector<nn::Named>& state, const std::string& module) {
  return std::any_of(state.begin(), state.end(), [&](const nn::Named& n) { return within(n.name, module); });
}

std::string find_head_in(const std::vector<nn::Named>& state) {
  constexpr std::string_view kList = "classifier.", kWeight = ".weight";
  if (has_module(state, "head")) return "head";
  int64_t last = -1;
  for (const nn::Named& named : state) {
    std::string_view name = named.name;
    if (!name.starts_with(kList) || !name.ends_with(kWeight) || named.tensor.rank() != 2) continue;
    name.remove_prefix(kList.size());
    name.remove_suffix(kWeight.size());
    int64_t number = -1;
    auto parsed = std::from_chars(name.data(), name.data() + name.size(), number);
    if (parsed.ptr == name.data() + name.size()) last = std::max(last, number);
  }
  if (last >= 0) return text("classifier.", last);
  auto is_classifier = [](const nn::Named& n) { return n.name == "classifier.weight"; };
  return std::any_of(state.begin(), state.end(), is_classifier) ? "classifier" : "";
}

std::string choose_head(const std::vector<nn::Named>& state, const LoadOptions& options,
                        const ModelInfo& info, const std::string& path) {
  if (!options.head.empty()) {
    ISKRA_CHECK(has_module(state, options.head), path, ": the model has no module ", in_quotes(options.head),
                " to take for its head");
    return options.head;
  }
  return has_module(state, info.head) ? info.head : find_head_in(state);
}

// "a, b, c and 5 more"
std::string some_of(const std::vector<std::string>& names) {
  constexpr size_t kShown = 4;
  std::string out;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) out += text(i > 0 ? ", " : "", names[i]);
  if (names.size() > kShown) out += text(" and ", static_cast<uint64_t>(names.size() - kShown), " more");
  return out;
}

std::string counted(size_t n, const char* noun) {
  return text(static_cast<uint64_t>(n), " ", noun, n == 1 ? "" : "s");
}

// Matches the tensors of one model with those of one file; nothing is changed before everything fits.
class Matching {
 public:
  Matching(const SafetensorsFile& file, std::vector<nn::Named> state, const LoadOptions& options,
           LoadReport& report)
      : file_(file), state_(std::move(state)), options_(options), report_(report) {}

  void match() {
    report_.head = choose_head(state_, options_, report_.info, file_.path());
    bool reset = head_differs();
    std::set<std::string> names;
    for (const nn::Named& named : state_) {
      names.insert(named.name);
      const TensorEntry* entry = file_.find(named.name);
      if (reset && within(named.name, report_.head)) {
        report_.reset.push_back(named.name);
      } else if (entry == nullptr) {
        report_.missing.push_back(named.name);
      } else if (fits(named, *entry)) {
        report_.loaded.push_back(named.name);
        pairs_.push_back({&named, entry});
      }
    }
    for (const TensorEntry& entry : file_.entries()) {
      if (names.count(entry.name) == 0) report_.unexpected.push_back(entry.name);
    }
  }

  void check() const {
    const std::string& path = file_.path();
    std::string arch = report_.info.arch.empty() ? "" : text(" (the file says: ", report_.info.arch, ")");
    ISKRA_CHECK(misfits_.empty(), path, ": does not fit the model: ", some_of(misfits_),
                "; is it another architecture, or another picture size?", arch);
    ISKRA_CHECK(!pairs_.empty() || state_.empty(), path, ": has no tensor of this model; it has ",
                some_of(report_.unexpected), arch);
    if (options_.partial) return;
    std::string lists;
    if (!report_.missing.empty()) lists += text("missing in the file: ", some_of(report_.missing));
    if (!report_.unexpected.empty()) {
      lists += text(lists.empty() ? "" : "; ", "not in the model: ", some_of(report_.unexpected));
    }
    ISKRA_CHECK(lists.empty(), path, ": does not fit the model: ", lists, "; is it another architecture?",
                arch);
  }

  void copy() const {
    NoGrad no_grad;
    for (const auto& [named, entry] : pairs_) {
      Tensor target = named->tensor;
      target.copy_from(file_.read(*entry).to(target.device()));
    }
  }

  std::string summary() const {
    std::string out = text("loaded ", counted(report_.loaded.size(), "tensor"));
    if (!report_.reset.empty()) {
      out += text("; ", report_.head, " starts from its initial values (", head_reason_, ")");
    }
    if (!report_.missing.empty()) out += text("; missing in the file: ", some_of(report_.missing));
    if (!report_.unexpected.empty()) out += text("; not in the model: ", some_of(report_.unexpected));
    return out;
  }

 private:
  // Whether the head keeps its initial values: asked for, not in the file, or of another number of classes.
  bool head_differs() {
    if (report_.head.empty()) return false;
    for (const nn::Named& named : state_) {
      if (!within(named.name, report_.head)) continue;
      const TensorEntry* entry = file_.find(named.name);
      if (entry == nullptr) {
        head_reason_ = "the file has none";
        return true;
      }
      Shape of_model = named.tensor.shape(), of_file = entry->shape;
      if (of_model == of_file || of_model.rank() != of_file.rank() || of_model.rank() == 0) continue;
      int64_t ours = of_model[0], theirs = of_file[0];
      of_model[0] = of_file[0] = 1;
      if (!(of_model == of_file)) continue;  // another width: a misfit
      head_reason_ = text(theirs, " classes in the file, ", ours, " in the model");
      return true;
    }
    head_reason_ = "as asked for";
    return options_.reset_head;
  }

  bool fits(const nn::Named& named, const TensorEntry& entry) {
    DType dtype = parse_safetensors_dtype(entry, file_.path());
    bool same_kind =
        dtype == named.tensor.dtype() || (is_floating(dtype) && is_floating(named.tensor.dtype()));
    if (entry.shape == named.tensor.shape() && same_kind) return true;
    misfits_.push_back(text(in_quotes(entry.name), " is ", entry.dtype, " ", entry.shape, " in the file, ",
                            safetensors_name(named.tensor.dtype()), " ", named.tensor.shape(),
                            " in the model"));
    return false;
  }

  const SafetensorsFile& file_;
  std::vector<nn::Named> state_;
  const LoadOptions& options_;
  LoadReport& report_;
  std::vector<std::pair<const nn::Named*, const TensorEntry*>> pairs_;
  std::vector<std::string> misfits_;
  std::string head_reason_;
};

}  // namespace

std::map<std::string, std::string> to_metadata(const ModelInfo& info) {
  std::map<std::string, std::string> metadata = info.extra;
  metadata["format"] = "pt";  // what other readers of the format ask for
  if (!info.arch.empty()) metadata["arch"] = info.arch;
  if (!info.classes.empty()) metadata["classes"] = Json(info.classes).dump();
  if (info.image_size > 0) metadata["image_size"] = std::to_string(info.image_size);
  if (info.channels > 0) metadata["channels"] = std::to_string(info.channels);
  if (!info.mean.empty()) metadata["mean"] = json_list(info.mean);
  if (!info.std.empty()) metadata["std"] = json_list(info.std);
  if (!info.head.empty()) metadata["head"] = info.head;
  return metadata;
}

ModelInfo from_metadata(const std::map<std::string, std::string>& metadata, const std::string& path) {
  ModelInfo info;
  info.extra = metadata;
  info.extra.erase("format");
  info.arch = take_text(info.extra, "arch");
  info.head = take_text(info.extra, "head");
  info.classes = take<std::vector<std::string>>(info.extra, "classes", path);
  info.image_size = take<int64_t>(info.extra, "image_size", path);
  info.channels = take<int64_t>(info.extra, "channels", path);
  info.mean = take<std::vector<float>>(info.extra, "mean", path);
  info.std = take<std::vector<float>>(info.extra, "std", path);
  return info;
}

ModelInfo read_model_info(const std::string& path) {
  return from_metadata(SafetensorsFile::open(path).metadata(), path);
}

std::string find_head(nn::Module& module) { return find_head_in(module.state()); }

void save(nn::Module& module, const std::string& path, const ModelInfo& info) {
  ModelInfo complete = info;
  if (complete.head.empty()) complete.head = find_head(module);
  write_safetensors(path, module.state(), to_metadata(complete));
}

LoadReport load(nn::Module& module, const std::string& path, const LoadOptions& options) {
  SafetensorsFile file = SafetensorsFile::open(path);
  LoadReport report;
  report.info = from_metadata(file.metadata(), path);
  report.warnings = file.warnings();
  Matching matching(file, module.state(), options, report);
  matching.match();
  matching.check();
  matching.copy();
  report.summary = matching.summary();
  return report;
}

}  // namespace iskra::zoo
