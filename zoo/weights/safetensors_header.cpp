// The JSON header of a safetensors file. It is read by events, never as a tree: duplicate keys stay visible,
// numbers keep their spelling, and a hostile header costs no more memory than its entries.
#include <algorithm>
#include <optional>
#include <set>

#include <iskra/kernels/check.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/weights/quote.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {
namespace {

constexpr const char* kDamaged = "; the file is damaged or forged, get it again";

struct FileDType {
  const char* name;
  unsigned bits;
  std::optional<DType> here;
};
// In the order of the format, which is also the order of alignment: the writer puts the last first.
const FileDType kDTypes[] = {
    {"BOOL", 8, DType::boolean},
    {"F4", 4, {}},
    {"F6_E2M3", 6, {}},
    {"F6_E3M2", 6, {}},
    {"U8", 8, DType::u8},
    {"I8", 8, {}},
    {"F8_E5M2", 8, {}},
    {"F8_E4M3", 8, {}},
    {"F8_E8M0", 8, {}},
    {"F8_E4M3FNUZ", 8, {}},
    {"F8_E5M2FNUZ", 8, {}},
    {"I16", 16, {}},
    {"U16", 16, {}},
    {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},
    {"I32", 32, DType::i32},
    {"U32", 32, {}},
    {"F32", 32, DType::f32},
    {"C64", 64, {}},
    {"F64", 64, DType::f64},
    {"I64", 64, DType::i64},
    {"U64", 64, {}},
};

const FileDType* find_dtype(std::string_view name) {
  for (const FileDType& dtype : kDTypes) {
    if (dtype.name == name) return &dtype;
  }
  return nullptr;
}

// A tensor while its fields arrive.
struct Draft {
  std::string name, dtype;
  std::vector<uint64_t> shape, offsets;
  bool has_dtype = false, has_shape = false, has_offsets = false;
};

// Receives the parser's events. What is open is a stack: the header, then a tensor (or the metadata), then a
// list.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(std::string path) : path_(std::move(path)) {}

  bool key(string_t& key) override {
    if (skipping_ > 0) return true;
    if (depth_ == 1) {
      start_entry(key);
    } else if (in_metadata_) {
      check(header.metadata.find(key) == header.metadata.end(), ": key ", in_quotes(key), " appears twice",
            kDamaged);
      field_ = key;
    } else {
      start_field(key);
    }
    return true;
  }

  bool start_object(std::size_t) override {
    deeper();
    if (skipping_ > 0) return ++skipping_, true;
    if (depth_ == 1 || (depth_ == 2 && !in_list_)) return in_entry_ = depth_ == 2, true;
    if (unknown_) return skipping_ = 1, true;
    refuse("an object");
  }
  bool end_object() override {
    --depth_;
    if (skipping_ > 0) return --skipping_, true;
    if (depth_ == 1) {
      if (!in_metadata_) finish_tensor();
      in_entry_ = in_metadata_ = false;
    }
    return true;
  }
  bool start_array(std::size_t) override {
    deeper();
    if (skipping_ > 0) return ++skipping_, true;
    if (in_entry_ && unknown_) return skipping_ = 1, true;
    bool list = in_entry_ && !in_metadata_ && !in_list_ && (field_ == "shape" || field_ == "data_offsets");
    if (!list) refuse("a list");
    return in_list_ = true;
  }
  bool end_array() override {
    --depth_;
    if (skipping_ > 0) return --skipping_, true;
    in_list_ = false;
    return true;
  }

  bool null() override {
    if (ignored()) return true;
    if (depth_ == 1 && in_metadata_) return in_metadata_ = false, true;  // the reference takes null for none
    refuse("null");
  }
  bool boolean(bool) override { return ignored() || (refuse("a truth value"), false); }
  // Only the parser's "unsigned" is a plain count: -0 arrives as a signed, 1.0, 1e0 and 2^64 as a float.
  bool number_integer(number_integer_t) override {
    return ignored() || (refuse("a number with a sign"), false);
  }
  bool number_float(number_float_t, const string_t& spelling) override {
    return ignored() || (refuse("the number " + spelling.substr(0, 40)), false);
  }
  bool number_unsigned(number_unsigned_t value) override {
    if (ignored()) return true;
    if (!in_list_) refuse("a number");
    std::vector<uint64_t>& list = field_ == "shape" ? draft_.shape : draft_.offsets;
    list.push_back(value);
    size_t most = field_ == "shape" ? static_cast<size_t>(Shape::kMaxRank) : 2;
    check(list.size() <= most, ": ", field_, " has more than ", static_cast<uint64_t>(most), " numbers",
          field_ == "shape" ? "; iskra's tensors have at most 8 axes" : kDamaged);
    return true;
  }
  bool string(string_t& value) override {
    if (ignored()) return true;
    if (in_entry_ && in_metadata_) {
      header.metadata.emplace(field_, value);
    } else if (in_entry_ && !in_list_ && field_ == "dtype") {
      draft_.dtype = value;
    } else {
      refuse("a text");
    }
    return true;
  }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    throw Error(
        text(path_, ": the header is no valid JSON at its byte ", static_cast<uint64_t>(position), kDamaged));
  }

  std::vector<Draft> drafts;
  SafetensorsHeader header;  // metadata and warnings
  uint64_t unknown_fields = 0;

 private:
  template <class... Ts>
  void check(bool good, const Ts&... parts) const {
    if (!good) throw Error(text(path_, where(), parts...));
  }
  [[noreturn]] void refuse(const std::string& what) const {
    throw Error(text(path_, where(), ": ", what, " where the format has none", kDamaged));
  }
  std::string where() const {
    if (depth_ == 0 || (!in_entry_ && !started_)) return ": header";
    return in_metadata_ ? ": __metadata__" : ": tensor " + in_quotes(draft_.name);
  }
  bool ignored() const { return skipping_ > 0 || (in_entry_ && !in_list_ && unknown_); }

  void deeper() {
    constexpr int kDeepest = 4;
    check(++depth_ <= kDeepest, ": the header is nested deeper than ", kDeepest, " levels", kDamaged);
  }
  void start_entry(const std::string& name) {
    started_ = true;
    unknown_ = false;
    in_metadata_ = name == "__metadata__";
    if (in_metadata_) {
      check(!metadata_seen_, ": appears twice", kDamaged);
      metadata_seen_ = true;
      return;
    }
    draft_ = Draft{};
    draft_.name = name;
    check(name.find('\0') == std::string::npos, ": the name holds a NUL byte", kDamaged);
    check(names_.insert(name).second, ": appears twice", kDamaged);
  }
  void start_field(const std::string& name) {
    field_ = name;
    bool* seen = name == "dtype"          ? &draft_.has_dtype
                 : name == "shape"        ? &draft_.has_shape
                 : name == "data_offsets" ? &draft_.has_offsets
                                          : nullptr;
    unknown_ = seen == nullptr;
    if (unknown_) {
      constexpr uint64_t kReported = 8;
      if (++unknown_fields <= kReported) {
        header.warnings.push_back(text(path_, where(), ": unknown field ", in_quotes(name), " is ignored"));
      }
      return;
    }
    check(!*seen, ": field ", name, " appears twice", kDamaged);
    *seen = true;
  }
  void finish_tensor() {
    check(draft_.has_dtype, ": has no dtype", kDamaged);
    check(draft_.has_shape, ": has no shape", kDamaged);
    check(draft_.has_offsets && draft_.offsets.size() == 2, ": has no data_offsets [begin, end]", kDamaged);
    drafts.push_back(std::move(draft_));
  }

  std::string path_;
  int depth_ = 0;
  int skipping_ = 0;  // open containers below an unknown field
  bool started_ = false, in_entry_ = false, in_metadata_ = false, metadata_seen_ = false, in_list_ = false;
  bool unknown_ = false;
  std::string field_;
  Draft draft_;
  std::set<std::string> names_;
};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The parser skips a byte-order mark and takes NUL for the end; the format allows neither.
void check_frame(std::string_view json, const std::string& path) {
  ISKRA_CHECK(!json.empty(), path, ": the header is empty", kDamaged);
  ISKRA_CHECK(json.find('\0') == std::string_view::npos, path, ": the header holds a NUL byte", kDamaged);
  while (!json.empty() && is_space(json.front())) json.remove_prefix(1);
  while (!json.empty() && is_space(json.back())) json.remove_suffix(1);
  ISKRA_CHECK(json.size() >= 2 && json.front() == '{' && json.back() == '}', path,
              ": the header is no JSON object {…}", kDamaged);
}

std::string list_of(const std::vector<uint64_t>& numbers) {
  std::string out = "[";
  for (size_t i = 0; i < numbers.size(); ++i) out += text(i > 0 ? ", " : "", numbers[i]);
  return out + "]";
}

// Bytes of the tensor's data, every product checked. Zeros are left out of the overflow check, so that what
// is accepted does not depend on the order of the sizes.
uint64_t checked_bytes(const Draft& draft, const std::string& path) {
  const FileDType* dtype = find_dtype(draft.dtype);
  ISKRA_CHECK(dtype != nullptr, path, ": tensor ", in_quotes(draft.name), ": unknown dtype ",
              in_quotes(draft.dtype), "; the file is damaged, or newer than this iskra");
  constexpr uint64_t kMost = INT64_MAX;
  uint64_t bits = dtype->bits;
  bool empty = false;
  for (uint64_t size : draft.shape) {
    empty = empty || size == 0;
    if (size == 0) continue;
    ISKRA_CHECK(bits <= kMost / size, path, ": tensor ", in_quotes(draft.name), ": ", draft.dtype,
                " of shape ", list_of(draft.shape), " has more than 2^63 bits", kDamaged);
    bits *= size;
  }
  if (empty) return 0;
  ISKRA_CHECK(bits % 8 == 0, path, ": tensor ", in_quotes(draft.name), ": ", draft.dtype, " of shape ",
              list_of(draft.shape), " does not end at a byte", kDamaged);
  return bits / 8;
}

// The tensors, in the order of their data, must cover it from the first byte to the last.
void check_coverage(const std::vector<Draft>& drafts, uint64_t data_bytes, const std::string& path) {
  uint64_t at = 0;
  for (const Draft& draft : drafts) {
    uint64_t begin = draft.offsets[0], end = draft.offsets[1];
    std::string where =
        text(path, ": tensor ", in_quotes(draft.name), ": data_offsets ", list_of(draft.offsets));
    ISKRA_CHECK(begin <= end, where, " end before they begin", kDamaged);
    ISKRA_CHECK(begin >= at, where, " overlap the tensor before, which ends at ", at, kDamaged);
    ISKRA_CHECK(begin == at, where, " leave a hole after byte ", at, kDamaged);
    uint64_t bytes = checked_bytes(draft, path);
    ISKRA_CHECK(end - begin == bytes, where, " span ", end - begin, " bytes, but ", draft.dtype, " of shape ",
                list_of(draft.shape), " needs ", bytes, kDamaged);
    at = end;
  }
  ISKRA_CHECK(at <= data_bytes, path, ": the file is truncated: its header promises ", at,
              " bytes of tensors, the file has ", data_bytes, "; download it again");
  ISKRA_CHECK(at == data_bytes, path, ": ", data_bytes - at, " bytes after the last tensor belong to nothing",
              kDamaged);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes,
                                           const std::string& path) {
  check_frame(json, path);
  HeaderReader reader(path);
  Json::sax_parse(json, &reader);
  std::vector<Draft>& drafts = reader.drafts;
  std::sort(drafts.begin(), drafts.end(), [](const Draft& a, const Draft& b) {
    return a.offsets != b.offsets ? a.offsets < b.offsets : a.name < b.name;
  });
  check_coverage(drafts, data_bytes, path);

  SafetensorsHeader header = std::move(reader.header);
  if (reader.unknown_fields > header.warnings.size()) {
    header.warnings.push_back(text(path, ": and ", reader.unknown_fields - header.warnings.size(),
                                   " more unknown fields are ignored"));
  }
  header.entries.reserve(drafts.size());
  for (Draft& draft : drafts) {
    Shape shape;
    for (uint64_t size : draft.shape) shape.push_back(static_cast<int64_t>(size));
    header.entries.push_back(
        {std::move(draft.name), std::move(draft.dtype), shape, draft.offsets[0], draft.offsets[1]});
  }
  return header;
}

const char* safetensors_name(DType dtype) {
  for (const FileDType& known : kDTypes) {
    if (known.here == dtype) return known.name;
  }
  throw Error(text("safetensors: no name for dtype ", name_of(dtype)));
}

int safetensors_rank(DType dtype) {
  auto known = std::find_if(std::begin(kDTypes), std::end(kDTypes),
                            [&](const FileDType& d) { return d.here == dtype; });
  return static_cast<int>(known - std::begin(kDTypes));
}

DType parse_safetensors_dtype(const TensorEntry& entry, const std::string& path) {
  const FileDType* known = find_dtype(entry.dtype);
  ISKRA_CHECK(known != nullptr && known->here.has_value(), path, ": tensor ", in_quotes(entry.name),
              ": iskra has no dtype ", entry.dtype, "; convert the file to F32, F16 or BF16 first");
  return *known->here;
}

}  // namespace iskra::zoo
