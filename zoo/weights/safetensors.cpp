#include <iskra/zoo/weights/safetensors.h>

#include <algorithm>
#include <bit>
#include <set>

#include <iskra/core/context.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/weights/quote.h>

namespace iskra::zoo {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian, and is read in place");

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kLongestHeader = 100'000'000;  // the reference's limit

// Files that people mistake for weights, told by their first bytes; "" for none of them.
std::string mistaken_for(std::string_view start) {
  if (start.starts_with("version https://git-lfs")) {
    return "is a git-lfs pointer, not the weights; run `git lfs pull`";
  }
  if (start.starts_with("<!DOCTYPE") || start.starts_with("<!doctype") || start.starts_with("<html") ||
      start.starts_with("<?xml")) {
    return "is a web page, not weights; the download failed, or the link shows a page";
  }
  if (start.starts_with("PK\x03\x04")) {
    return "is a ZIP file (PyTorch's .pth or NumPy's .npz), not safetensors; save it as safetensors first";
  }
  if (start.starts_with("\x80\x02\x8A\x0A")) {
    return "is an old PyTorch .pth file, not safetensors; save it as safetensors first";
  }
  return "";
}

// Length of the header; throws for everything that cannot be a safetensors file.
uint64_t header_length(const ReadFile& file) {
  ISKRA_CHECK(file.size() > 0, file.path(), ": the file is empty; download it again");
  std::string start(static_cast<size_t>(std::min<uint64_t>(file.size(), 32)), '\0');
  file.read(0, start.data(), start.size());
  std::string other = mistaken_for(start);
  ISKRA_CHECK(other.empty(), file.path(), ": ", other);
  ISKRA_CHECK(file.size() >= kLengthBytes, file.path(), ": the file is truncated: it has ", file.size(),
              " bytes, and a safetensors file begins with 8 for the length of its header; download it again");
  uint64_t length = 0;
  std::copy_n(start.data(), kLengthBytes, reinterpret_cast<char*>(&length));
  ISKRA_CHECK(length <= kLongestHeader, file.path(),
              ": is no safetensors file: its first 8 bytes give a header of ", length, " bytes, and at most ",
              kLongestHeader, " are allowed");
  ISKRA_CHECK(length <= file.size() - kLengthBytes, file.path(), ": the file is truncated: a header of ",
              length, " bytes is promised, only ", file.size() - kLengthBytes, " follow; download it again");
  return length;
}

// A host tensor, dense and row-major, with the same values.
Tensor packed(const Tensor& tensor) { return tensor.detach().to(Device::cpu()).contiguous(); }

std::string json_text(const std::string& value, const std::string& path) {
  try {
    return Json(value).dump();
  } catch (const Json::type_error&) {
    throw Error(text(path, ": cannot write ", in_quotes(value), ": it is no valid UTF-8"));
  }
}

std::vector<const nn::Named*> in_file_order(const std::vector<nn::Named>& tensors, const std::string& path) {
  std::vector<const nn::Named*> order;
  std::set<std::string> names;
  for (const nn::Named& named : tensors) {
    ISKRA_CHECK(named.tensor.defined(), path, ": tensor ", in_quotes(named.name), " is undefined");
    ISKRA_CHECK(named.name != "__metadata__" && named.name.find('\0') == std::string::npos, path, ": ",
                in_quotes(named.name), " cannot be the name of a tensor");
    ISKRA_CHECK(names.insert(named.name).second, path, ": two tensors are called ", in_quotes(named.name));
    order.push_back(&named);
  }
  std::sort(order.begin(), order.end(), [](const nn::Named* a, const nn::Named* b) {
    int rank_a = safetensors_rank(a->tensor.dtype()), rank_b = safetensors_rank(b->tensor.dtype());
    return rank_a != rank_b ? rank_a > rank_b : a->name < b->name;
  });
  return order;
}

std::string make_header(const std::vector<const nn::Named*>& order,
                        const std::map<std::string, std::string>& metadata, const std::string& path) {
  std::string header = "{";
  if (!metadata.empty()) {
    header += "\"__metadata__\":{";
    const char* comma = "";
    for (const auto& [key, value] : metadata) {
      header += text(comma, json_text(key, path), ":", json_text(value, path));
      comma = ",";
    }
    header += order.empty() ? "}" : "},";
  }
  uint64_t at = 0;
  for (const nn::Named* named : order) {
    std::string shape;
    for (int64_t size : named->tensor.shape()) shape += text(shape.empty() ? "" : ",", size);
    uint64_t end = at + named->tensor.bytes();
    header += text(at == 0 && named == order.front() ? "" : ",", json_text(named->name, path),
                   ":{\"dtype\":\"", safetensors_name(named->tensor.dtype()), "\",\"shape\":[", shape,
                   "],\"data_offsets\":[", at, ",", end, "]}");
    at = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  ISKRA_CHECK(header.size() <= kLongestHeader, path, ": too many tensors: the header has ", header.size(),
              " bytes, and at most ", kLongestHeader, " are allowed");
  return header;
}

}  // namespace

SafetensorsFile::SafetensorsFile(ReadFile file, uint64_t data_offset, SafetensorsHeader header)
    : file_(std::move(file)), data_offset_(data_offset), header_(std::move(header)) {
  for (size_t i = 0; i < header_.entries.size(); ++i) places_.emplace(header_.entries[i].name, i);
}

SafetensorsFile SafetensorsFile::open(const std::string& path) {
  ReadFile file(path);
  uint64_t length = header_length(file);
  std::string json(static_cast<size_t>(length), '\0');
  file.read(kLengthBytes, json.data(), json.size());
  uint64_t data_offset = kLengthBytes + length;
  SafetensorsHeader header = parse_safetensors_header(json, file.size() - data_offset, path);
  return SafetensorsFile(std::move(file), data_offset, std::move(header));
}

const TensorEntry* SafetensorsFile::find(const std::string& name) const {
  auto place = places_.find(name);
  return place == places_.end() ? nullptr : &header_.entries[place->second];
}

Tensor SafetensorsFile::read(const std::string& name) const {
  const TensorEntry* entry = find(name);
  ISKRA_CHECK(entry != nullptr, path(), ": has no tensor ", in_quotes(name),
              "; `iskra inspect` lists what it has");
  return read(*entry);
}

Tensor SafetensorsFile::read(const TensorEntry& entry) const {
  Tensor tensor =
      Tensor::empty(entry.shape, {.dtype = parse_safetensors_dtype(entry, path()), .device = Device::cpu()});
  if (entry.begin == entry.end) return tensor;
  auto* bytes = static_cast<uint8_t*>(tensor.raw_data());
  auto count = static_cast<size_t>(entry.end - entry.begin);
  file_.read(data_offset_ + entry.begin, bytes, count);
  if (tensor.dtype() == DType::boolean) {
    // Any other byte in a bool is undefined behaviour for whoever reads it.
    ISKRA_CHECK(std::all_of(bytes, bytes + count, [](uint8_t b) { return b <= 1; }), path(), ": tensor ",
                in_quotes(entry.name),
                ": BOOL data holds bytes other than 0 and 1; the file is damaged or forged");
  }
  return tensor;
}

std::string SafetensorsFile::hash(const TensorEntry& entry) const {
  Hasher hasher;
  std::vector<char> piece(static_cast<size_t>(std::min<uint64_t>(entry.end - entry.begin, 1 << 20)));
  for (uint64_t at = entry.begin; at < entry.end;) {
    auto bytes = static_cast<size_t>(std::min<uint64_t>(piece.size(), entry.end - at));
    file_.read(data_offset_ + at, piece.data(), bytes);
    hasher.add(piece.data(), bytes);
    at += bytes;
  }
  return hasher.digest();
}

std::vector<nn::Named> SafetensorsFile::read_all() const {
  std::vector<nn::Named> tensors;
  for (const TensorEntry& entry : entries()) tensors.push_back({entry.name, read(entry)});
  return tensors;
}

Written write_safetensors(const std::string& path, const std::vector<nn::Named>& tensors,
                          const std::map<std::string, std::string>& metadata) {
  NoGrad no_grad;
  std::vector<const nn::Named*> order = in_file_order(tensors, path);
  std::string header = make_header(order, metadata, path);
  AtomicFile file(path);
  uint64_t length = header.size();
  file.write(&length, sizeof(length));
  file.write(header);
  for (const nn::Named* named : order) {
    Tensor tensor = packed(named->tensor);
    if (tensor.bytes() > 0) file.write(tensor.raw_data(), tensor.bytes());
  }
  return file.commit();
}

}  // namespace iskra::zoo
