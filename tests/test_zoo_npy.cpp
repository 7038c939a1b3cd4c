// .npy files: what NumPy writes is read, what we write is what NumPy writes, and damage is named.
#include <iskra/zoo/weights/npy.h>

#include "zoo_files.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

/// A file with this header text and data; the header is padded as NumPy pads it.
std::string npy(std::string header, const std::string& data, char major = 1) {
  size_t before = major == 1 ? 10 : 12;
  while ((before + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string bytes = "\x93NUMPY";
  bytes += {major, '\0', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  if (major > 1) bytes += std::string(2, '\0');
  return bytes + header + data;
}

std::string floats(const std::vector<float>& v) {
  return {reinterpret_cast<const char*>(v.data()), v.size() * sizeof(float)};
}

constexpr const char* kTwo = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }";

}  // namespace

// numpy.save(…, numpy.array([[1.5, -2.0]], dtype="<f4")), NumPy 2.4: byte for byte.
TEST(Npy, WritesWhatNumpyWrites) {
  std::string expected("\x93NUMPY\x01\x00v\x00", 10);
  expected += "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }";
  expected.resize(127, ' ');
  expected += '\n';
  expected += std::string("\x00\x00\xC0\x3F\x00\x00\x00\xC0", 8);
  Folder folder;
  write_npy(folder / "x.npy", Tensor::of({1.5F, -2.0F}, {1, 2}));
  EXPECT_EQ(read_bytes(folder / "x.npy"), expected);
  EXPECT_EQ(parse_npy(expected, "x").to_vector<float>(), (std::vector<float>{1.5F, -2.0F}));
}

TEST(Npy, GivesBackEveryDtypeAndShape) {
  Folder folder;
  auto same = [&](const Tensor& x) {
    write_npy(folder / "x.npy", x);
    Tensor y = read_npy(folder / "x.npy");
    EXPECT_EQ(y.dtype(), x.dtype());
    EXPECT_EQ(y.shape(), x.shape());
    EXPECT_EQ(y.to(DType::f64).to_vector<double>(), x.to(DType::f64).to_vector<double>());
  };
  same(Tensor::of({1.0, -0.5, 1e300}, {3}));
  same(Tensor::of<int64_t>({-1, int64_t{1} << 60}, {2, 1}));
  same(Tensor::of<int32_t>({7, -8}, {1, 1, 2}));
  same(Tensor::of<uint8_t>({0, 255}, {2}));
  same(Tensor::full({}, 3.25));
  same(Tensor::zeros({0, 5}));
  // Not contiguous: row-major order of what is seen.
  same(Tensor::of({1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}, {2, 3}).transpose(0, 1));
}

TEST(Npy, ReadsVersionsAndKeyOrders) {
  std::string data = floats({1, 2});
  for (char major : {1, 2, 3}) EXPECT_EQ(parse_npy(npy(kTwo, data, major), "x").numel(), 2);
  EXPECT_EQ(parse_npy(npy("{\"shape\":(2,),'fortran_order':False,'descr':'<f4'}", data), "x").numel(), 2);
}

TEST(Npy, DamageIsNamed) {
  auto error = [](const std::string& bytes) { return error_of([&] { parse_npy(bytes, "x.npy"); }); };
  auto header = [&](const std::string& h) { return error(npy(h, floats({1, 2}))); };
  EXPECT_EQ(error("PK"), "x.npy: no .npy file (it does not start with \\x93NUMPY)");
  EXPECT_EQ(error(npy(kTwo, floats({1, 2}), 4)),
            "x.npy: .npy version 4.0 is unknown; 1.0, 2.0 and 3.0 are read");
  EXPECT_EQ(error(npy(kTwo, floats({1}))),
            "x.npy: 8 bytes of data said, 4 there; the file is truncated or damaged");
  EXPECT_EQ(error(npy(kTwo, floats({1, 2, 3}))),
            "x.npy: 8 bytes of data said, 12 there; the file is truncated or damaged");
  EXPECT_EQ(error(npy(kTwo, "").substr(0, 40)), "x.npy: truncated .npy header: 118 bytes said, 30 there");
  EXPECT_EQ(header("{'descr': '<f4', 'fortran_order': True, 'shape': (2,), }"),
            "x.npy: Fortran order is not read; save np.ascontiguousarray(x)");
  EXPECT_EQ(header("{'descr': '>f4', 'fortran_order': False, 'shape': (2,), }"),
            "x.npy: dtype '>f4' is not read; save float32, float64, int64, int32 or uint8, little-endian");
  EXPECT_PRED2(contains,
               header("{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 4), }"),
               "an absurd shape");
  EXPECT_PRED2(contains, header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }"),
               "a size expected");
  EXPECT_PRED2(contains,
               header("{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1, 1, 1, 1, 1, 1, 1, 2), }"),
               "9 axes; at most 8 are read");
  for (const char* wrong : {"{}", "{'descr': '<f4', 'shape': (2,), }",
                            "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,)}",
                            "{'descr': '<f4', 'fortran_order': False, 'shape': (2)}",
                            "{'descr': '<f4', 'fortran_order': 0, 'shape': (2,)}",
                            "{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", "{'descr': '<f4",
                            "import os", "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), 'x': 1}"}) {
    EXPECT_PRED2(contains, header(wrong), "x.npy: damaged .npy header: ") << wrong;
  }
}

TEST(Npy, EveryTruncationIsAnError) {
  std::string whole = npy(kTwo, floats({1, 2}));
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_NE(error_of([&] { parse_npy(whole.substr(0, length), "x"); }), "no error") << length;
  }
}
