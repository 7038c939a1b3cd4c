// Writing and reading safetensors: values, order, bytes, against files of the reference implementation.
#include <gtest/gtest.h>

#include <cstring>

#include <iskra/core/ops.h>
#include <iskra/zoo/weights/safetensors.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::Folder;
using iskra::testing::read_bytes;
using iskra::testing::write_bytes;

const std::string kGolden = std::string(ISKRA_SOURCE_DIR) + "/tests/golden/python.safetensors";

std::vector<double> doubles(const Tensor& tensor) { return tensor.to(DType::f64).to_vector<double>(); }

TEST(Safetensors, ReadsWhatTheReferenceWrote) {
  SafetensorsFile file = SafetensorsFile::open(kGolden);
  EXPECT_EQ(file.metadata(), (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_TRUE(file.warnings().empty());
  std::vector<std::string> names;
  for (const TensorEntry& entry : file.entries()) names.push_back(entry.name);
  EXPECT_EQ(names, (std::vector<std::string>{"i64", "f64", "empty", "f32", "näme \"quoted\"", "scalar", "i32",
                                             "bf16", "f16", "u8", "bool"}));
  const std::pair<const char*, DType> kSigned[] = {{"f32", DType::f32},   {"f16", DType::f16},
                                                   {"bf16", DType::bf16}, {"f64", DType::f64},
                                                   {"i64", DType::i64},   {"i32", DType::i32}};
  for (auto [name, dtype] : kSigned) {
    Tensor tensor = file.read(name);
    EXPECT_EQ(tensor.dtype(), dtype) << name;
    EXPECT_EQ(tensor.shape(), Shape({2, 3})) << name;
    EXPECT_EQ(doubles(tensor), (std::vector<double>{-3, -2, -1, 0, 1, 2})) << name;
  }
  EXPECT_EQ(file.read("u8").shape(), Shape({3, 2}));
  EXPECT_EQ(doubles(file.read("u8")), (std::vector<double>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(doubles(file.read("bool")), (std::vector<double>{0, 1, 0, 1, 0, 1}));
  EXPECT_EQ(file.read("scalar").rank(), 0);
  EXPECT_EQ(file.read("scalar").item(), -3);
  EXPECT_EQ(file.read("empty").shape(), Shape({0, 4}));
  EXPECT_EQ(file.read("näme \"quoted\"").item(), 7);
}

TEST(Safetensors, WritesTheBytesOfTheReference) {
  Folder folder;
  std::vector<nn::Named> tensors = SafetensorsFile::open(kGolden).read_all();
  std::reverse(tensors.begin(), tensors.end());  // the order of the caller must not matter
  Written written = write_safetensors(folder / "ours", tensors, {{"format", "pt"}});
  std::string bytes = read_bytes(folder / "ours");
  EXPECT_EQ(bytes, read_bytes(kGolden));
  EXPECT_EQ(written.bytes, bytes.size());
  EXPECT_EQ(written.hash, hash_bytes(bytes));
}

/// The header that a list of tensors gets, after its length.
std::string header_of(const std::vector<nn::Named>& tensors,
                      const std::map<std::string, std::string>& metadata = {}) {
  Folder folder;
  write_safetensors(folder / "f", tensors, metadata);
  std::string bytes = read_bytes(folder / "f");
  uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  return bytes.substr(8, static_cast<size_t>(length));
}

TEST(Safetensors, HeadersOfTheReference) {
  EXPECT_EQ(header_of({}), "{}      ");
  EXPECT_EQ(header_of({}, {{"framework", "pt"}}), R"({"__metadata__":{"framework":"pt"}}     )");
  EXPECT_EQ(header_of({{"attn.0", Tensor::zeros({1, 2, 3})}}),
            R"({"attn.0":{"dtype":"F32","shape":[1,2,3],"data_offsets":[0,24]}})");
  EXPECT_EQ(header_of({{"attn0", Tensor::zeros({1, 1, 2, 3})}}),
            R"({"attn0":{"dtype":"F32","shape":[1,1,2,3],"data_offsets":[0,24]}}       )");
  EXPECT_EQ(header_of({{"test2", Tensor::zeros({2, 2}, {.dtype = DType::f16})},
                       {"test1", Tensor::zeros({2, 2}, {.dtype = DType::i32})}}),
            R"({"test1":{"dtype":"I32","shape":[2,2],"data_offsets":[0,16]},)"
            R"("test2":{"dtype":"F16","shape":[2,2],"data_offsets":[16,24]}}      )");
}

TEST(Safetensors, PacksStridedTensors) {
  Folder folder;
  Tensor base = Tensor::of<float>({0, 1, 2, 3, 4, 5}, {2, 3});
  Tensor image = Tensor::of<float>({0, 1, 2, 3, 4, 5, 6, 7}, {1, 2, 2, 2}).contiguous(Layout::channels_last);
  write_safetensors(folder / "f", {{"transposed", base.transpose(0, 1)},
                                   {"column", base.narrow(1, 1, 1)},
                                   {"expanded", base.narrow(0, 0, 1).expand({2, 3})},
                                   {"image", image}});
  SafetensorsFile file = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(file.read("transposed").to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(file.read("column").to_vector<float>(), (std::vector<float>{1, 4}));
  EXPECT_EQ(file.read("expanded").to_vector<float>(), (std::vector<float>{0, 1, 2, 0, 1, 2}));
  EXPECT_EQ(file.read("image").to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Safetensors, WritesParametersThatRecord) {
  Folder folder;
  Tensor weight = Tensor::ones({3});
  weight.set_requires_grad();
  write_safetensors(folder / "f", {{"w", weight}});
  EXPECT_FALSE(SafetensorsFile::open(folder / "f").read("w").requires_grad());
}

TEST(Safetensors, ManyTensorsComeBack) {
  Folder folder;
  std::vector<nn::Named> tensors;
  for (int i = 0; i < 1009; ++i) tensors.push_back({"t" + std::to_string(i), Tensor::full({i % 7}, i)});
  write_safetensors(folder / "f", tensors);
  SafetensorsFile file = SafetensorsFile::open(folder / "f");
  ASSERT_EQ(file.entries().size(), 1009U);
  for (int i = 0; i < 1009; ++i) {
    EXPECT_EQ(file.read("t" + std::to_string(i)).to_vector<float>(),
              std::vector<float>(static_cast<size_t>(i % 7), static_cast<float>(i)));
  }
}

TEST(Safetensors, HashesAreOfTheBytes) {
  Folder folder;
  Tensor a = Tensor::of<float>({1, 2}, {2}), b = Tensor::of<float>({1, 3}, {2});
  write_safetensors(folder / "f", {{"a", a}, {"b", b}, {"c", a}});
  SafetensorsFile file = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(file.hash(*file.find("a")), file.hash(*file.find("c")));
  EXPECT_NE(file.hash(*file.find("a")), file.hash(*file.find("b")));
  const float kValues[] = {1, 2};
  EXPECT_EQ(file.hash(*file.find("a")),
            hash_bytes({reinterpret_cast<const char*>(kValues), sizeof(kValues)}));
}

TEST(Safetensors, ForeignDTypesAreListedButNotRead) {
  Folder folder;
  std::string header = R"({"a":{"dtype":"F8_E4M3","shape":[2],"data_offsets":[0,2]}} )";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string bytes(8, '\0');
  bytes[0] = static_cast<char>(header.size());
  write_bytes(folder / "f", bytes + header + "xy");
  SafetensorsFile file = SafetensorsFile::open(folder / "f");
  EXPECT_EQ(file.entries().at(0).dtype, "F8_E4M3");
  EXPECT_EQ(file.hash(file.entries()[0]), hash_bytes("xy"));
  EXPECT_ERROR(file.read("a"),
               "tensor \"a\": iskra has no dtype F8_E4M3; convert the file to F32, F16 or BF16 first");
}

TEST(Safetensors, OnlyZeroAndOneAreBool) {
  Folder folder;
  write_safetensors(folder / "f", {{"b", Tensor::ones({2}, {.dtype = DType::boolean})}});
  std::string bytes = read_bytes(folder / "f");
  bytes.back() = 2;
  write_bytes(folder / "f", bytes);
  EXPECT_ERROR(SafetensorsFile::open(folder / "f").read("b"), "BOOL data holds bytes other than 0 and 1");
}

TEST(Safetensors, RefusesToWriteWhatCannotBeRead) {
  Folder folder;
  Tensor t = Tensor::ones({1});
  std::string path = folder / "f";
  EXPECT_ERROR(write_safetensors(path, {{"a", t}, {"a", t}}), "two tensors are called \"a\"");
  EXPECT_ERROR(write_safetensors(path, {{"__metadata__", t}}),
               "\"__metadata__\" cannot be the name of a tensor");
  EXPECT_ERROR(write_safetensors(path, {{std::string("a\0b", 3), t}}),
               "\"a\\x00b\" cannot be the name of a tensor");
  EXPECT_ERROR(write_safetensors(path, {{"\xff", t}}), "it is no valid UTF-8");
  EXPECT_ERROR(write_safetensors(path, {{"a", Tensor()}}), "tensor \"a\" is undefined");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{});
}

TEST(Safetensors, UnknownNamesAndFiles) {
  Folder folder;
  write_safetensors(folder / "f", {{"a", Tensor::ones({1})}});
  EXPECT_ERROR(SafetensorsFile::open(folder / "f").read("b"),
               "f: has no tensor \"b\"; `iskra inspect` lists what it has");
  EXPECT_EQ(SafetensorsFile::open(folder / "f").find("b"), nullptr);
  EXPECT_ERROR(SafetensorsFile::open(folder / "nothing"), "nothing: no such file");
  EXPECT_ERROR(SafetensorsFile::open(folder.path()), "is a folder, not a file");
}

TEST(Safetensors, FileThatShrinksWhileItIsRead) {
  Folder folder;
  write_safetensors(folder / "f", {{"a", Tensor::ones({1000})}});
  SafetensorsFile file = SafetensorsFile::open(folder / "f");
  std::filesystem::resize_file(folder / "f", 100);
  EXPECT_ERROR(file.read("a"), "something else writes to it");
}

}  // namespace
}  // namespace iskra::zoo
