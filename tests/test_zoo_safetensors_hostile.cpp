// Files that a reader must refuse, and odd ones that it must accept: what each says. The cases are those of
// the format's own tests and of its published list of attacks, plus what JSON parsers are known to let
// through.
#include <gtest/gtest.h>

#include <cstring>

#include <iskra/zoo/weights/safetensors.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::error_of;
using iskra::testing::Folder;
using iskra::testing::write_bytes;

std::string with_length(uint64_t length, std::string_view rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + std::string(rest);
}

/// A file: the header's length, the header, `data` zero bytes.
std::string file_of(const std::string& header, size_t data) {
  return with_length(header.size(), header + std::string(data, '\0'));
}

struct Case {
  const char* name;
  std::string bytes;
  std::string error;  ///< part of the message; "no error" when it must load
};

std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.name; }

std::string one(const std::string& fields) { return "{\"a\":{" + fields + "}}"; }
std::string shaped(const std::string& shape, const std::string& offsets, const std::string& dtype = "F32") {
  return one("\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets);
}

std::string nested(int levels) {
  std::string open, close;
  for (int i = 0; i < levels; ++i) open += "[", close += "]";
  return one("\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4],\"x\":" + open + close);
}

const std::string kGood = "\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]";
const std::string kOk = "no error";

const std::vector<Case>& cases() {  // NOLINT(readability-function-size): one table
  static const std::vector<Case> kCases = {
      // the frame
      {"empty_file", "", "file.safetensors: the file is empty; download it again"},
      {"seven_bytes", std::string(7, 'x'), "the file is truncated: it has 7 bytes"},
      {"length_alone", with_length(60, ""),
       "a header of 60 bytes is promised, only 0 follow; download it again"},
      {"length_huge", std::string("<\0\0\0\0\xff\xff\xff", 8) + "{}",
       "is no safetensors file: its first 8 bytes give a header of"},
      {"length_above_cap", with_length(100'000'001, "{}"), "at most 100000000 are allowed"},
      {"length_beyond_file", with_length(3, "{}"), "a header of 3 bytes is promised, only 2 follow"},
      {"length_zero", file_of("", 0), "the header is empty"},
      {"not_utf8", file_of("\xff", 0), "the header is no JSON object"},
      {"cut_json", file_of("{", 0), "the header is no JSON object"},
      {"html", "<!DOCTYPE html><html>", "is a web page, not weights"},
      {"lfs", "version https://git-lfs.github.com/spec/v1\n",
       "is a git-lfs pointer, not the weights; run `git lfs pull`"},
      {"zip", std::string("PK\x03\x04", 4) + std::string(40, '\0'), "is a ZIP file (PyTorch's .pth"},
      {"legacy_pth", "\x80\x02\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20", "is an old PyTorch .pth file"},
      // valid oddities
      {"ok", file_of(one(kGood), 4), kOk},
      {"ok_unaligned", file_of("{\"test\":{\"dtype\":\"I32\",\"shape\":[2,2],\"data_offsets\":[0,16]}}", 16),
       kOk},
      {"ok_scalar", file_of("{\"test\":{\"dtype\":\"I32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4), kOk},
      {"ok_no_elements", file_of(shaped("[2,0]", "[0, 0]"), 0), kOk},
      {"ok_trailing_space", file_of("{}\r \t\n", 0), kOk},
      {"ok_leading_space", file_of("\t\n{}\r ", 0), kOk},
      {"ok_empty_name", file_of("{\"\":{" + kGood + "}}", 4), kOk},
      {"ok_null_metadata", file_of("{\"__metadata__\":null}", 0), kOk},
      {"ok_unknown_field", file_of(one(kGood + ",\"x\":{\"y\":-1.5}"), 4), kOk},
      {"ok_not_in_name_order",
       file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[4,5]},\"b\":{" + kGood + "}}", 5),
       kOk},
      {"ok_unaligned_f32",
       file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},\"b\":{\"dtype\":\"F32\","
               "\"shape\":[1],"
               "\"data_offsets\":[1,5]}}",
               5),
       kOk},
      {"ok_sub_byte", file_of(shaped("[2]", "[0,1]", "F4"), 1), kOk},
      // JSON that is no such header
      {"top_level_list", file_of("[]", 0), "the header is no JSON object"},
      {"trailing_comma", file_of("{\"a\":{" + kGood + "},}", 4), "the header is no valid JSON at its byte"},
      {"comment", file_of("{/*c*/}", 0), "the header is no valid JSON"},
      {"garbage_after", file_of("{}x", 0), "the header is no JSON object"},
      {"object_after", file_of("{}{}", 0), "the header is no valid JSON"},
      {"nul_after", file_of(std::string("{}\0", 3), 0), "the header holds a NUL byte"},
      {"nul_and_brace_after", file_of(std::string("{}\0}", 4), 0), "the header holds a NUL byte"},
      {"byte_order_mark", file_of("\xEF\xBB\xBF{}", 0), "the header is no JSON object"},
      {"control_character", file_of("{\"a\n\":{" + kGood + "}}", 4), "the header is no valid JSON"},
      {"lone_surrogate", file_of("{\"\\ud800\":{" + kGood + "}}", 4), "the header is no valid JSON"},
      {"bad_utf8_in_name", file_of("{\"\xC0\x80\":{" + kGood + "}}", 4), "the header is no valid JSON"},
      {"nul_in_name", file_of("{\"a\\u0000b\":{" + kGood + "}}", 4),
       "tensor \"a\\x00b\": the name holds a NUL byte"},
      {"nan", file_of(shaped("[NaN]", "[0,4]"), 4), "the header is no valid JSON"},
      {"too_deep", file_of(nested(200), 4), "nested deeper than 4 levels"},
      {"very_deep", file_of(nested(2'000'000), 4), "nested deeper than 4 levels"},
      {"deep_from_the_start", file_of("{\"a\":" + std::string(100'000, '[') + "}", 0),
       "where the format has none"},
      // names and fields
      {"duplicate_same", file_of("{\"a\":{" + kGood + "},\"a\":{" + kGood + "}}", 4),
       "tensor \"a\": appears twice"},
      {"duplicate_other",
       file_of("{\"a\":{" + kGood + "},\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 8),
       "tensor \"a\": appears twice"},
      {"duplicate_escaped", file_of("{\"a\":{" + kGood + "},\"\\u0061\":{" + kGood + "}}", 4),
       "appears twice"},
      {"duplicate_metadata", file_of("{\"__metadata__\":{},\"__metadata__\":{}}", 0),
       "__metadata__: appears twice"},
      {"duplicate_metadata_key", file_of("{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0),
       "key \"k\" appears twice"},
      {"duplicate_field", file_of(one(kGood + ",\"dtype\":\"F32\""), 4), "field dtype appears twice"},
      {"metadata_number", file_of("{\"__metadata__\":{\"k\":1}}", 0),
       "__metadata__: a number where the format has none"},
      {"metadata_nested", file_of("{\"__metadata__\":{\"k\":{}}}", 0),
       "__metadata__: an object where the format has none"},
      {"metadata_list", file_of("{\"__metadata__\":[]}", 0),
       "__metadata__: a list where the format has none"},
      {"metadata_null_value", file_of("{\"__metadata__\":{\"k\":null}}", 0), "__metadata__: null where"},
      {"tensor_as_list", file_of("{\"a\":[\"F32\",[1],[0,4]]}", 4),
       "tensor \"a\": a list where the format has none"},
      {"tensor_as_number", file_of("{\"a\":1}", 0), "tensor \"a\": a number where the format has none"},
      {"tensor_as_null", file_of("{\"a\":null}", 0), "tensor \"a\": null where the format has none"},
      {"tensor_as_text", file_of("{\"a\":\"b\"}", 0), "tensor \"a\": a text where the format has none"},
      {"no_dtype", file_of(one("\"shape\":[1],\"data_offsets\":[0,4]"), 4), "tensor \"a\": has no dtype"},
      {"no_shape", file_of(one("\"dtype\":\"F32\",\"data_offsets\":[0,4]"), 4), "tensor \"a\": has no shape"},
      {"no_offsets", file_of(one("\"dtype\":\"F32\",\"shape\":[1]"), 4),
       "tensor \"a\": has no data_offsets [begin, end]"},
      {"dtype_number", file_of(one("\"dtype\":3,\"shape\":[1],\"data_offsets\":[0,4]"), 4), "a number where"},
      {"dtype_unknown", file_of(shaped("[1]", "[0,4]", "F33"), 4), "tensor \"a\": unknown dtype \"F33\""},
      {"shape_number", file_of(shaped("1", "[0,4]"), 4), "a number where"},
      {"shape_object", file_of(shaped("{}", "[0,4]"), 4), "an object where"},
      {"shape_nested", file_of(shaped("[[1]]", "[0,4]"), 4), "a list where"},
      {"shape_text", file_of(shaped("[\"1\"]", "[0,4]"), 4), "a text where"},
      {"shape_boolean", file_of(shaped("[true]", "[0,4]"), 4), "a truth value where"},
      // numbers
      {"size_1.0", file_of(shaped("[1.0]", "[0,4]"), 4), "the number 1.0 where the format has none"},
      {"size_1e0", file_of(shaped("[1e0]", "[0,4]"), 4), "the number 1e0 where"},
      {"size_minus_1", file_of(shaped("[-1]", "[0,4]"), 4), "a number with a sign where"},
      {"size_minus_0", file_of(shaped("[-0]", "[0,0]"), 0), "a number with a sign where"},
      {"size_01", file_of(shaped("[01]", "[0,4]"), 4), "the header is no valid JSON"},
      {"size_2^64", file_of(shaped("[18446744073709551616]", "[0,4]"), 4),
       "the number 18446744073709551616 where"},
      {"nine_axes", file_of(shaped("[1,1,1,1,1,1,1,1,1]", "[0,4]"), 4), "shape has more than 8 numbers"},
      {"overflow_1", file_of(shaped("[2,18446744073709551614]", "[0,16]", "I32"), 16),
       "has more than 2^63 bits"},
      {"overflow_2", file_of(shaped("[2,9223372036854775807]", "[0,16]", "I32"), 16),
       "has more than 2^63 bits"},
      {"overflow_before_zero", file_of(shaped("[18446744073709551615,2,0]", "[0,0]"), 0),
       "has more than 2^63 bits"},
      {"overflow_after_zero", file_of(shaped("[0,18446744073709551615,2]", "[0,0]"), 0),
       "has more than 2^63 bits"},
      {"half_a_byte", file_of(shaped("[3]", "[0,2]", "F4"), 2), "does not end at a byte"},
      // places
      {"three_offsets", file_of(shaped("[1]", "[0,4,4]"), 4), "data_offsets has more than 2 numbers"},
      {"one_offset", file_of(shaped("[1]", "[0]"), 4), "has no data_offsets [begin, end]"},
      {"backwards", file_of(shaped("[1]", "[4,0]"), 4), "data_offsets [4, 0] end before they begin"},
      {"not_from_zero", file_of(shaped("[1]", "[4,8]"), 8), "data_offsets [4, 8] leave a hole after byte 0"},
      {"hole",
       file_of("{\"a\":{" + kGood + "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}", 12),
       "tensor \"b\": data_offsets [8, 12] leave a hole after byte 4"},
      {"overlap",
       file_of("{\"a\":{" + kGood + "},\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[2,6]}}", 6),
       "tensor \"b\": data_offsets [2, 6] overlap the tensor before, which ends at 4"},
      {"same_place", file_of("{\"a\":{" + kGood + "},\"b\":{" + kGood + "}}", 4),
       "tensor \"b\": data_offsets [0, 4] overlap"},
      {"size_mismatch", file_of(shaped("[2,2]", "[0,4]", "I32"), 4),
       "span 4 bytes, but I32 of shape [2, 2] needs 16"},
      {"empty_with_bytes", file_of(shaped("[0]", "[0,4]"), 4), "span 4 bytes, but F32 of shape [0] needs 0"},
      {"offset_wraps", file_of(shaped("[1]", "[18446744073709551612,18446744073709551615]"), 4),
       "leave a hole after byte 0"},
      {"tail", file_of(one(kGood), 4) + "extra_bogus_data_for_polyglot_file",
       "34 bytes after the last tensor belong to nothing"},
      {"tail_without_tensors", file_of("{}", 1), "1 bytes after the last tensor belong to nothing"},
      {"two_bytes_short", file_of(one(kGood), 2),
       "the file is truncated: its header promises 4 bytes of tensors, the file has 2; download it again"},
  };
  return kCases;
}

class SafetensorsHostile : public ::testing::TestWithParam<Case> {};

TEST_P(SafetensorsHostile, SaysWhatIsWrong) {
  Folder folder;
  std::string path = folder / "file.safetensors";
  write_bytes(path, GetParam().bytes);
  std::string message = error_of([&] {
    SafetensorsFile file = SafetensorsFile::open(path);
    for (const TensorEntry& entry : file.entries()) file.hash(entry);
  });
  EXPECT_PRED2(iskra::testing::contains, message, GetParam().error);
  EXPECT_LT(message.size(), 400U);
  bool named = GetParam().error == kOk || message.starts_with(path);
  EXPECT_TRUE(named) << "the message begins with the file: " << message;
}

std::string name_of_case(const ::testing::TestParamInfo<Case>& info) {
  std::string name = info.param.name;
  for (char& c : name) c = isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
  return name;
}
INSTANTIATE_TEST_SUITE_P(Cases, SafetensorsHostile, ::testing::ValuesIn(cases()), name_of_case);

// Header bombs: many entries on one place are refused before any of their data is looked at.
TEST(SafetensorsBombs, ManyTensorsOnOnePlace) {
  std::string header = "{";
  for (int i = 0; i < 20'000; ++i) {
    header += "\"" + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[16],\"data_offsets\":[0,16]},";
  }
  header.back() = '}';
  EXPECT_ERROR(parse_safetensors_header(header, 16, "bomb"), "overlap the tensor before, which ends at 16");
}

TEST(SafetensorsBombs, ManyUnknownFieldsGiveFewWarnings) {
  std::string header = "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]";
  for (int i = 0; i < 1000; ++i) header += ",\"x" + std::to_string(i) + "\":0";
  SafetensorsHeader parsed = parse_safetensors_header(header + "}}", 1, "f");
  ASSERT_EQ(parsed.warnings.size(), 9U);
  EXPECT_EQ(parsed.warnings[0], "f: tensor \"a\": unknown field \"x0\" is ignored");
  EXPECT_EQ(parsed.warnings[8], "f: and 992 more unknown fields are ignored");
}

TEST(SafetensorsBombs, HostileNamesStayOnOneShortLine) {
  std::string name = "\\n\\u001b[31m" + std::string(5000, 'x');
  std::string header = "{\"" + name + "\":{}}";
  std::string message = error_of([&] { parse_safetensors_header(header, 0, "f"); });
  EXPECT_PRED2(iskra::testing::contains, message, "\"\\x0a\\x1b[31mxxx");
  EXPECT_LT(message.size(), 200U);
}

/// A small file with everything in it.
std::string sample_file() {
  return file_of(
      "{\"__metadata__\":{\"format\":\"pt\"},\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]"
      "},"
      "\"b\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[24,26]},"
      "\"e\":{\"dtype\":\"F16\",\"shape\":[0,4],\"data_offsets\":[26,26]}}",
      26);
}

/// Opens and reads everything: either that works, or it throws Error; anything else fails the test.
bool loads(const std::string& path) {
  try {
    SafetensorsFile::open(path).read_all();
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(SafetensorsDamage, TruncatedAtEveryByte) {
  Folder folder;
  std::string whole = sample_file(), path = folder / "file";
  write_bytes(path, whole);
  ASSERT_TRUE(loads(path));
  for (size_t length = whole.size(); length-- > 0;) {
    std::filesystem::resize_file(path, length);
    EXPECT_FALSE(loads(path)) << "cut to " << length << " bytes";
  }
}

TEST(SafetensorsDamage, EveryBitOfTheHeaderFlipped) {
  Folder folder;
  std::string whole = sample_file(), path = folder / "file";
  size_t header_end = whole.size() - 26;
  int loaded = 0;
  for (size_t at = 0; at < header_end; ++at) {
    for (int flip : {1, 2, 4, 8, 16, 32, 64, 128, 255}) {
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      if (at < 8) {
        write_bytes(path, damaged);
        loaded += loads(path);
      } else {
        std::string header = damaged.substr(8, header_end - 8);
        try {
          parse_safetensors_header(header, 26, path);
          ++loaded;
        } catch (const Error&) {
        }
      }
    }
  }
  EXPECT_GT(loaded, 0);  // letters of a name may change
}

}  // namespace
}  // namespace iskra::zoo
