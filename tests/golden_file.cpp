#include "golden_file.h"

#include <cstring>
#include <fstream>
#include <iterator>

#include <nlohmann/json.hpp>

#include "source_folder.h"

namespace iskra::testing {

namespace {

template <class T>
std::vector<double> widen(const char* bytes, size_t size) {
  std::vector<T> values(size / sizeof(T));
  if (size > 0) std::memcpy(values.data(), bytes, size);
  return {values.begin(), values.end()};
}

std::vector<double> widen(const std::string& dtype, const char* bytes, size_t size) {
  if (dtype == "F64") return widen<double>(bytes, size);
  if (dtype == "F32") return widen<float>(bytes, size);
  if (dtype == "I64") return widen<int64_t>(bytes, size);
  if (dtype == "I32") return widen<int32_t>(bytes, size);
  if (dtype == "U8" || dtype == "BOOL") return widen<uint8_t>(bytes, size);
  throw Error(text("golden file: element type ", dtype, " is not one that our scripts write"));
}

DType dtype_of_file(const std::string& name) {
  static const std::map<std::string, DType> kTypes = {{"F64", DType::f64}, {"F32", DType::f32},
                                                      {"I64", DType::i64}, {"I32", DType::i32},
                                                      {"U8", DType::u8},   {"BOOL", DType::boolean}};
  return kTypes.at(name);
}

}  // namespace

Tensor Golden::tensor(DType type) const {
  // 16-bit floats and integers pass through the engine's conversion, whose rows are exact.
  return Tensor::of(values, shape).to(type);
}

GoldenFile GoldenFile::read(const std::string& name) {
  std::ifstream in(source_folder() / "tests" / "golden" / name, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(in)), {});
  ISKRA_CHECK(bytes.size() > 8, "golden file ", name, ": missing or empty");
  uint64_t header_size = 0;
  std::memcpy(&header_size, bytes.data(), sizeof header_size);
  auto header = nlohmann::json::parse(bytes.substr(8, header_size));
  const char* data = bytes.data() + 8 + header_size;

  GoldenFile file;
  file.name_ = name;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") {
      file.metadata = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    size_t begin = entry["data_offsets"][0], end = entry["data_offsets"][1];
    auto dtype = entry["dtype"].get<std::string>();
    file.tensors[key] = {Shape(entry["shape"].get<std::vector<int64_t>>()),
                         widen(dtype, data + begin, end - begin), dtype_of_file(dtype)};
  }
  return file;
}

const Golden& GoldenFile::at(const std::string& tensor) const {
  auto found = tensors.find(tensor);
  ISKRA_CHECK(found != tensors.end(), "golden file ", name_, ": no tensor ", tensor,
              "; make it again (tests/golden/)");
  return found->second;
}

}  // namespace iskra::testing
