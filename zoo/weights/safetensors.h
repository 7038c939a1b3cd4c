// safetensors: u64 header length, JSON header, tensors one after the other. The reader is stricter than the
// reference implementation where that one is known to be lax (duplicate names, "-0", arrays for objects, NUL
// in names); the writer gives the reference's bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <iskra/nn/module.h>
#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {

/// One tensor of a file, as the header tells it.
struct TensorEntry {
  std::string name;
  std::string dtype;  ///< the file's name for it: "F32", "BF16", "F8_E4M3", …
  Shape shape;
  uint64_t begin = 0, end = 0;  ///< bytes, from the start of the data
};

/// What a header says, checked completely: the tensors cover the data exactly, without holes or overlaps.
struct SafetensorsHeader {
  std::vector<TensorEntry> entries;  ///< in the order of their data
  std::map<std::string, std::string> metadata;
  std::vector<std::string> warnings;  ///< unknown fields, one line each
};

/// Parses and checks the JSON header of `path` (for messages), which `data_bytes` of tensors follow.
SafetensorsHeader parse_safetensors_header(std::string_view json, uint64_t data_bytes,
                                           const std::string& path);

/// An open file. Its header is checked completely by open(); tensors are read when asked for.
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::string& path);

  const std::string& path() const { return file_.path(); }
  const std::vector<TensorEntry>& entries() const { return header_.entries; }
  const std::map<std::string, std::string>& metadata() const { return header_.metadata; }
  const std::vector<std::string>& warnings() const { return header_.warnings; }
  /// Null when there is no such tensor.
  const TensorEntry* find(const std::string& name) const;
  /// A fresh tensor on the CPU. Throws for an unknown name and for a dtype that iskra lacks.
  Tensor read(const std::string& name) const;
  Tensor read(const TensorEntry& entry) const;
  /// Content hash (XXH3-128) of a tensor's bytes, of any dtype.
  std::string hash(const TensorEntry& entry) const;
  /// All tensors, in the order of their data.
  std::vector<nn::Named> read_all() const;

 private:
  SafetensorsFile(ReadFile file, uint64_t data_offset, SafetensorsHeader header);
  ReadFile file_;
  uint64_t data_offset_;
  SafetensorsHeader header_;
  std::map<std::string, size_t> places_;  // in header_.entries
};

/// Writes a file atomically (see files.h): any device, any strides, names unique. Byte for byte what the
/// reference implementation writes: largest dtypes first, then by name; header padded with spaces to a
/// multiple of 8.
Written write_safetensors(const std::string& path, const std::vector<nn::Named>& tensors,
                          const std::map<std::string, std::string>& metadata = {});

/// The file's name of a dtype ("F32"), and back; parse throws Error naming the tensor for one that iskra
/// lacks.
const char* safetensors_name(DType dtype);
/// Place of a dtype in the format's list, which ascends by alignment.
int safetensors_rank(DType dtype);
DType parse_safetensors_dtype(const TensorEntry& entry, const std::string& path);

}  // namespace iskra::zoo
