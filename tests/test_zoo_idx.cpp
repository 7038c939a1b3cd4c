// IDX files: small ones made here, damaged in every way, and the real ones of Debian's package.
#include <gtest/gtest.h>

#include <zlib.h>

#include <iskra/zoo/data/idx.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::error_of;
using iskra::testing::Folder;
using iskra::testing::write_bytes;
using Labels = std::vector<int64_t>;

std::string number(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

/// Pixel p of picture i is i + p.
std::string pictures(uint32_t count, uint32_t height, uint32_t width) {
  std::string bytes = number(0x803) + number(count) + number(height) + number(width);
  for (uint32_t i = 0; i < count; ++i) {
    for (uint32_t p = 0; p < height * width; ++p) bytes += static_cast<char>(i + p);
  }
  return bytes;
}
std::string labels(const Labels& values) {
  std::string bytes = number(0x801) + number(static_cast<uint32_t>(values.size()));
  for (int64_t value : values) bytes += static_cast<char>(value);
  return bytes;
}

std::string gzip(std::string bytes) {
  constexpr int kGzip = 16;
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + kGzip, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_in = static_cast<unsigned>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<unsigned>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

/// A folder with four pictures of 3x2 and the labels 0 2 1 2.
struct SmallData {
  Folder folder;
  std::string images = folder / "train-images-idx3-ubyte", names = folder / "train-labels-idx1-ubyte";
  SmallData() {
    write_bytes(images, pictures(4, 3, 2));
    write_bytes(names, labels({0, 2, 1, 2}));
  }
  Dataset read() const { return idx(folder.path()); }
};

void expect_small(const Dataset& data) {
  EXPECT_EQ(data.size(), 4);
  EXPECT_EQ(data.height(), 3);
  EXPECT_EQ(data.width(), 2);
  EXPECT_EQ(data.channels(), 1);
  EXPECT_EQ(data.labels(), (Labels{0, 2, 1, 2}));
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t p = 0; p < 6; ++p) EXPECT_EQ(data.picture(i)[p], i + p);
  }
}

TEST(Idx, ReadsPlainFiles) {
  SmallData small;
  Dataset data = small.read();
  expect_small(data);
  EXPECT_EQ(data.classes(), (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(data.source(), small.folder.path());
  EXPECT_TRUE(is_idx_folder(small.folder.path()));
  EXPECT_FALSE(is_idx_folder(small.folder.path(), "test"));
  EXPECT_FALSE(is_idx_folder(small.folder / "no"));
}

TEST(Idx, ReadsGzipAndTheTestSplit) {
  Folder folder;
  write_bytes(folder / "t10k-images-idx3-ubyte.gz", gzip(pictures(4, 3, 2)));
  write_bytes(folder / "t10k-labels-idx1-ubyte.gz", gzip(labels({0, 2, 1, 2})));
  expect_small(idx(folder.path(), {.split = "test"}));
  EXPECT_TRUE(is_idx_folder(folder.path(), "test"));
}

TEST(Idx, ReadsExplicitFiles) {
  Folder folder;
  write_bytes(folder / "a", pictures(4, 3, 2));
  write_bytes(folder / "b", gzip(labels({0, 2, 1, 2})));
  expect_small(idx("", {.images = folder / "a", .labels = folder / "b"}));
  EXPECT_ERROR(idx("", {.images = folder / "a"}), "give both files, pictures and labels, or neither");
  EXPECT_ERROR(idx("", {.images = folder / "a", .labels = folder / "c"}), "/c: no such file");
}

TEST(Idx, ClassNames) {
  SmallData small;
  write_bytes(small.folder / "classes.txt", "cat\r\nsmall dog \n\nÄ\n");
  EXPECT_EQ(small.read().classes(), (std::vector<std::string>{"cat", "small dog", "Ä"}));
  EXPECT_EQ(idx(small.folder.path(), {.classes = {"a", "b", "c", "d"}}).class_count(), 4);
  write_bytes(small.folder / "classes.txt", "cat\ndog\n");
  EXPECT_ERROR(small.read(), ": picture 1 has label 2, but there are 2 class names (labels 0 … 1)");
  write_bytes(small.folder / "classes.txt", "\n");
  EXPECT_ERROR(small.read(), "/classes.txt: holds no class names; write one a line");
}

TEST(Idx, NumbersAreTheSameForBothSplits) {
  SmallData small;
  write_bytes(small.folder / "t10k-images-idx3-ubyte", pictures(1, 3, 2));
  write_bytes(small.folder / "t10k-labels-idx1-ubyte", labels({4}));
  EXPECT_EQ(small.read().class_count(), 5);
  EXPECT_EQ(idx(small.folder.path(), {.split = "test"}).class_count(), 5);
}

TEST(Idx, MissingFiles) {
  Folder folder;
  EXPECT_ERROR(idx(folder / "no"), "/no: no such folder");
  EXPECT_ERROR(idx(folder.path()),
               ": no IDX pictures of the split \"train\" there; looked for train-images-idx3-ubyte, "
               "train-images-idx3-ubyte.gz");
  write_bytes(folder / "t10k-images-idx3-ubyte", pictures(1, 1, 1));
  EXPECT_ERROR(idx(folder.path(), {.split = "test"}),
               ": no IDX labels of the split \"test\" there; looked for t10k-labels-idx1-ubyte, "
               "t10k-labels-idx1-ubyte.gz, test-labels-idx1-ubyte, test-labels-idx1-ubyte.gz");
  EXPECT_ERROR(idx(folder.path(), {.split = "val"}), "no split \"val\"; there are train and test");
}

struct Damage {
  const char* name;
  std::string images, labels, error;
};
std::ostream& operator<<(std::ostream& out, const Damage& damage) { return out << damage.name; }

const std::vector<Damage>& damages() {
  static const std::string kPictures = pictures(4, 3, 2), kLabels = labels({0, 2, 1, 2});
  static const std::string kPacked = gzip(pictures(2, 40, 50));
  static const std::vector<Damage> kDamages = {
      {"Empty", "", kLabels, "train-images-idx3-ubyte: the file is empty; get it again"},
      {"Exchanged", kLabels, kPictures,
       "train-labels-idx1-ubyte: wrong magic number 0x00000803, expected 0x00000801 for IDX labels; were the "
       "two files exchanged?"},
      {"WrongMagic", "<!DOCTYPE html>", kLabels,
       "images-idx3-ubyte: wrong magic number 0x3c21444f, expected 0x00000803 for IDX pictures; is it an IDX "
       "file?"},
      {"WrongMagicInGzip", gzip("<!DOCTYPE html>"), kLabels,
       "wrong magic number 0x3c21444f (inside the gzip data), expected 0x00000803 for IDX pictures"},
      {"PackedTwice", gzip(gzip(kPictures)), kLabels, "it was packed with gzip twice: unpack it once"},
      {"HeaderCut", kPictures.substr(0, 15), kLabels,
       "the data is truncated: 15 bytes, the header alone has 16; download it again"},
      {"MagicCut", kPictures.substr(0, 3), kLabels, "the data is truncated: 3 bytes"},
      {"DataCut", kPictures.substr(0, kPictures.size() - 1), kLabels,
       "the data is truncated: 4 pictures of 3x2 are 24 bytes, the file has 23; download it again"},
      {"LabelsCut", kPictures, kLabels.substr(0, 10),
       "the data is truncated: 4 labels are 4 bytes, the file has 2"},
      {"DataCutInGzip", gzip(kPictures.substr(0, 30)), kLabels,
       "4 pictures of 3x2 are 24 bytes, the file has 14"},
      {"GzipCut", kPacked.substr(0, kPacked.size() / 2), kLabels,
       "images-idx3-ubyte: the gzip data is truncated (the file has "},
      {"GzipTrailerCut", kPacked.substr(0, kPacked.size() - 4), kLabels,
       "the gzip data is truncated (the file has "},
      {"GzipDamaged",
       kPacked.substr(0, kPacked.size() - 8) + std::string(4, 'x') + kPacked.substr(kPacked.size() - 4),
       kLabels, "the gzip data is damaged; download it again"},
      {"TrailingBytes", kPictures + "x", kLabels,
       "has more data than the 4 pictures of 3x2 that its header promises; the file is damaged, get it "
       "again"},
      {"TrailingBytesInGzip", gzip(kPictures + "x"), kLabels, "has more data than the 4 pictures of 3x2"},
      {"Counts", pictures(5, 3, 2), kLabels, "has 5 pictures, but "},
      {"NoPictures", pictures(0, 3, 2), kLabels, "images-idx3-ubyte: holds no pictures"},
      {"NoLabels", kPictures, labels({}), "labels-idx1-ubyte: holds no labels"},
      {"NoPixels", pictures(4, 0, 2), kLabels, "pictures of 0x2 pixels; sides of 1 … 32768 are possible"},
      {"HugeSides", number(0x803) + number(1) + number(0xFFFFFFFF) + number(2), kLabels,
       "pictures of 4294967295x2 pixels"},
      {"HugePromise", number(0x803) + number(0xFFFFFFFF) + number(32768) + number(32768), kLabels,
       "the data is truncated: 4294967295 pictures of 32768x32768 are 4611686017353646080 bytes, the file "
       "has 0"},
  };
  return kDamages;
}

class IdxDamage : public ::testing::TestWithParam<Damage> {};
TEST_P(IdxDamage, SaysWhatIsWrong) {
  SmallData small;
  write_bytes(small.images, GetParam().images);
  write_bytes(small.names, GetParam().labels);
  EXPECT_ERROR(small.read(), GetParam().error);
}
INSTANTIATE_TEST_SUITE_P(Cases, IdxDamage, ::testing::ValuesIn(damages()),
                         [](const auto& chosen) { return std::string(chosen.param.name); });

TEST(Idx, EveryCutOfAPackedFileIsSeen) {
  SmallData small;
  std::string whole = gzip(pictures(4, 3, 2));
  for (size_t length = 0; length < whole.size(); ++length) {
    write_bytes(small.images, std::string_view(whole).substr(0, length));
    EXPECT_NE(error_of([&] { small.read(); }), "no error") << "cut to " << length << " bytes";
  }
}

// What Debian's package dataset-fashion-mnist installs: Xiao, Rasul & Vollgraf 2017.
TEST(Idx, FashionMnist) {
  const std::string folder = "/usr/share/datasets/fashion-mnist";
  Dataset train = idx(folder), test = idx(folder, {.split = "test"});
  EXPECT_EQ(train.str(), "60000 pictures 28x28x1, 10 classes, from " + folder);
  EXPECT_EQ(train.counts(), Labels(10, 6000));
  EXPECT_EQ(test.counts(), Labels(10, 1000));
  EXPECT_EQ(train.classes()[9], "Ankle boot");
  EXPECT_EQ(Labels(train.labels().begin(), train.labels().begin() + 10),
            (Labels{9, 0, 0, 3, 0, 2, 7, 2, 5, 5}));
  EXPECT_EQ(Labels(test.labels().begin(), test.labels().begin() + 10),
            (Labels{9, 2, 1, 1, 6, 1, 4, 6, 5, 7}));
  // The published mean and standard deviation of the training pictures.
  PixelStatistics statistics = pixel_statistics(train);
  EXPECT_NEAR(statistics.mean.at(0), 0.2860, 5e-5);
  EXPECT_NEAR(statistics.std.at(0), 0.3530, 5e-5);
}

}  // namespace
}  // namespace iskra::zoo
