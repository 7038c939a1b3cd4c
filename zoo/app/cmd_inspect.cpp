// iskra inspect: what a safetensors file holds.
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/weights/safetensors.h>

namespace iskra::zoo {

namespace {

std::vector<int64_t> sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

JsonLine summary(const SafetensorsFile& file, uint64_t bytes, int64_t elements) {
  JsonLine metadata;
  for (const auto& [key, value] : file.metadata()) metadata(key, value);
  return JsonLine()("file", file.path())("container", "safetensors")("tensors", file.entries().size())(
      "elements", elements)("bytes", bytes)("metadata", metadata)("warnings", file.warnings());
}

}  // namespace

int cmd_inspect(const Arguments& arguments) {
  std::string path;
  bool hash = false, json = false;
  Flags flags("inspect", "Lists the tensors of a safetensors file: name, dtype, shape, size.");
  flags.add_argument("FILE", path, "a safetensors file");
  flags.add("hash", hash, "content hash (XXH3-128) of every tensor");
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;

  Console console(json);
  SafetensorsFile file = SafetensorsFile::open(path);
  Table table(hash ? std::vector<std::string>{"tensor", "dtype", "shape", "bytes>", "xxh3-128"}
                   : std::vector<std::string>{"tensor", "dtype", "shape", "bytes>"});
  uint64_t bytes = 0;
  int64_t elements = 0;
  for (const TensorEntry& entry : file.entries()) {
    uint64_t size = entry.end - entry.begin;
    bytes += size;
    elements += entry.shape.numel();
    JsonLine line;
    line("name", entry.name)("dtype", entry.dtype)("shape", sizes(entry.shape))("bytes", size);
    std::vector<std::string> row = {entry.name, entry.dtype, entry.shape.str(),
                                    grouped(static_cast<int64_t>(size))};
    if (hash) {
      row.push_back(file.hash(entry));
      line("xxh3_128", row.back());
    }
    console.object(line);
    table.row(std::move(row));
  }
  console.say(table.str());
  for (const auto& [key, value] : file.metadata()) console.say(key + ": " + value);
  for (const std::string& warning : file.warnings()) console.note("warning: " + warning);
  console.say(std::to_string(file.entries().size()) + " tensors, " + grouped(elements) + " elements, " +
              bytes_text(static_cast<double>(bytes)));
  console.object(summary(file, bytes, elements));
  return 0;
}

}  // namespace iskra::zoo
