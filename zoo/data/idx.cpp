#include <iskra/zoo/data/idx.h>

#include <zlib.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>

#include <iskra/kernels/check.h>
#include <iskra/zoo/weights/files.h>
#include <iskra/zoo/weights/quote.h>

namespace iskra::zoo {
namespace {

constexpr uint32_t kPictureMagic = 0x00000803;  // u8, three axes
constexpr uint32_t kLabelMagic = 0x00000801;    // u8, one axis

std::string hex(uint32_t value) {
  std::string out = "0x";
  for (int shift = 28; shift >= 0; shift -= 4) out += "0123456789abcdef"[value >> shift & 15];
  return out;
}

// The bytes of a file, unpacked when it is gzip.
class Unpacked {
 public:
  explicit Unpacked(const std::string& path) : path_(path), size_(ReadFile(path).size()) {
    ISKRA_CHECK(size_ > 0, path, ": the file is empty; get it again");
    file_.reset(gzopen(path.c_str(), "rb"));
    ISKRA_CHECK(file_ != nullptr, path, ": cannot open");
    gzbuffer(file_.get(), 1 << 17);
    packed_ = gzdirect(file_.get()) == 0;
  }
  bool packed() const { return packed_; }
  const std::string& path() const { return path_; }

  // Up to `bytes` bytes; fewer only at the end of the data.
  size_t read(void* to, size_t bytes) {
    constexpr size_t kMost = 1 << 24;
    size_t done = 0;
    while (done < bytes) {
      auto piece = static_cast<unsigned>(std::min(kMost, bytes - done));
      int got = gzread(file_.get(), static_cast<char*>(to) + done, piece);
      if (got > 0) done += static_cast<size_t>(got);
      if (got == static_cast<int>(piece)) continue;
      int error = Z_OK;
      gzerror(file_.get(), &error);
      ISKRA_CHECK(error != Z_BUF_ERROR, path_, ": the gzip data is truncated (the file has ", size_,
                  " bytes); download it again");
      ISKRA_CHECK(got >= 0, path_, ": the gzip data is damaged; download it again");
      break;
    }
    return done;
  }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose_r(file); }
  };
  std::string path_;
  uint64_t size_;
  std::unique_ptr<gzFile_s, Close> file_;
  bool packed_ = false;
};

uint32_t big_endian(const uint8_t* b) {
  return static_cast<uint32_t>(b[0]) << 24 | static_cast<uint32_t>(b[1]) << 16 |
         static_cast<uint32_t>(b[2]) << 8 | b[3];
}

const char* kind_of(uint32_t magic) { return magic == kPictureMagic ? "pictures" : "labels"; }

void check_magic(uint32_t found, uint32_t expected, const Unpacked& file) {
  if (found == expected) return;
  const char* hint = "; is it an IDX file?";
  if (found == kPictureMagic || found == kLabelMagic) hint = "; were the two files exchanged?";
  if (found >> 16 == 0x1F8B) hint = "; it was packed with gzip twice: unpack it once";
  throw Error(text(file.path(), ": wrong magic number ", hex(found),
                   file.packed() ? " (inside the gzip data)" : "", ", expected ", hex(expected), " for IDX ",
                   kind_of(expected), hint));
}

struct IdxData {
  std::array<uint32_t, 3> sizes = {1, 1, 1};
  std::vector<uint8_t> bytes;
};

// Memory grows with the data that is really there: a header alone can make nobody allocate.
std::vector<uint8_t> read_promised(Unpacked& file, uint64_t promised, const std::string& what) {
  constexpr uint64_t kPiece = 1 << 26;
  std::vector<uint8_t> bytes;
  while (bytes.size() < promised) {
    size_t before = bytes.size();
    auto piece = static_cast<size_t>(std::min(kPiece, promised - before));
    bytes.resize(before + piece);
    size_t got = file.read(bytes.data() + before, piece);
    ISKRA_CHECK(got == piece, file.path(), ": the data is truncated: ", what, " are ", promised,
                " bytes, the file has ", static_cast<uint64_t>(before + got), "; download it again");
  }
  uint8_t more = 0;
  ISKRA_CHECK(file.read(&more, 1) == 0, file.path(), ": has more data than the ", what,
              " that its header promises; the file is damaged, get it again");
  return bytes;
}

IdxData read_idx(const std::string& path, uint32_t magic) {
  constexpr uint32_t kLongestSide = 32768;
  Unpacked file(path);
  size_t axes = magic & 0xFF;
  std::array<uint8_t, 16> header{};
  size_t header_bytes = 4 + 4 * axes;
  size_t got = file.read(header.data(), header_bytes);
  if (got >= 4) check_magic(big_endian(header.data()), magic, file);
  ISKRA_CHECK(got == header_bytes, path, ": the data is truncated: ", static_cast<uint64_t>(got),
              " bytes, the header alone has ", static_cast<uint64_t>(header_bytes), "; download it again");
  IdxData data;
  for (size_t i = 0; i < axes; ++i) data.sizes[i] = big_endian(header.data() + 4 + 4 * i);
  auto [count, height, width] = data.sizes;
  ISKRA_CHECK(count > 0, path, ": holds no ", kind_of(magic));
  ISKRA_CHECK(height > 0 && width > 0 && height <= kLongestSide && width <= kLongestSide, path,
              ": pictures of ", height, "x", width, " pixels; sides of 1 … ", kLongestSide, " are possible");
  std::string what = axes == 1 ? text(count, " labels") : text(count, " pictures of ", height, "x", width);
  data.bytes = read_promised(file, uint64_t{count} * height * width, what);
  return data;
}

std::vector<std::string> usual_names(const std::string& split, const char* what) {
  std::vector<std::string> names;
  std::vector<std::string> prefixes =
      split == "test" ? std::vector<std::string>{"t10k", "test"} : std::vector{split};
  for (const std::string& prefix : prefixes) {
    for (const char* ending : {"", ".gz"}) names.push_back(text(prefix, "-", what, "-ubyte", ending));
  }
  return names;
}

// Path of the first of the usual names that is there, or "".
std::string find_usual(const std::string& folder, const std::string& split, const char* what) {
  for (const std::string& name : usual_names(split, what)) {
    if (file_exists(folder + "/" + name)) return folder + "/" + name;
  }
  return "";
}

constexpr const char* kPictures = "images-idx3";
constexpr const char* kLabels = "labels-idx1";

std::string find_file(const std::string& folder, const std::string& split, const char* what) {
  ISKRA_CHECK(folder_exists(folder), folder, ": no such folder; give the one that holds the IDX files");
  std::string path = find_usual(folder, split, what);
  if (!path.empty()) return path;
  std::string names;
  for (const std::string& name : usual_names(split, what)) names += text(names.empty() ? "" : ", ", name);
  throw Error(text(folder, ": no IDX ", what == kPictures ? "pictures" : "labels", " of the split ",
                   in_quotes(split), " there; looked for ", names));
}

std::vector<std::string> names_in(const std::string& path) {
  constexpr uint64_t kLargest = 1 << 20;
  std::string all = read_file(path, kLargest);
  std::vector<std::string> names;
  for (size_t at = 0; at < all.size();) {
    size_t end = std::min(all.find('\n', at), all.size());
    std::string name = all.substr(at, end - at);
    name.erase(name.find_last_not_of(" \t\r") + 1);
    if (!name.empty()) names.push_back(name);
    at = end + 1;
  }
  ISKRA_CHECK(!names.empty(), path, ": holds no class names; write one a line");
  return names;
}

// Xiao, Rasul & Vollgraf 2017.
const std::vector<std::string>& fashion_mnist_classes() {
  static const std::vector<std::string> names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                                 "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  return names;
}

int64_t highest(const std::vector<uint8_t>& labels) {
  return *std::max_element(labels.begin(), labels.end());
}

std::vector<std::string> choose_names(const std::string& folder, const std::string& labels_path,
                                      const std::vector<uint8_t>& labels) {
  namespace fs = std::filesystem;
  fs::path beside = fs::path(labels_path).parent_path();
  std::string list = (beside / "classes.txt").string();
  if (file_exists(list)) return names_in(list);
  std::error_code ignored;
  if (fs::weakly_canonical(beside.empty() ? "." : beside, ignored).filename() == "fashion-mnist" &&
      highest(labels) < 10) {
    return fashion_mnist_classes();
  }
  // Numbers: as many as either split uses, so that both have the same classes.
  int64_t last = highest(labels);
  for (const char* split : {"train", "test"}) {
    std::string other = folder.empty() ? "" : find_usual(folder, split, kLabels);
    if (!other.empty() && other != labels_path)
      last = std::max(last, highest(read_idx(other, kLabelMagic).bytes));
  }
  std::vector<std::string> names;
  for (int64_t i = 0; i <= last; ++i) names.push_back(std::to_string(i));
  return names;
}

}  // namespace

Dataset idx(const std::string& folder, const IdxOptions& options) {
  ISKRA_CHECK(options.split == "train" || options.split == "test", folder, ": no split ",
              in_quotes(options.split), "; there are train and test");
  ISKRA_CHECK(options.images.empty() == options.labels.empty(), folder.empty() ? "idx" : folder,
              ": give both files, pictures and labels, or neither");
  bool usual = options.images.empty();
  std::string images_path = usual ? find_file(folder, options.split, kPictures) : options.images;
  std::string labels_path = usual ? find_file(folder, options.split, kLabels) : options.labels;
  IdxData labels = read_idx(labels_path, kLabelMagic);
  IdxData images = read_idx(images_path, kPictureMagic);
  ISKRA_CHECK(images.sizes[0] == labels.sizes[0], images_path, " has ", images.sizes[0], " pictures, but ",
              labels_path, " has ", labels.sizes[0], " labels; the files do not belong together");
  std::vector<std::string> classes = options.classes;
  if (classes.empty()) classes = choose_names(usual ? folder : "", labels_path, labels.bytes);
  return Dataset(std::move(images.bytes), images.sizes[1], images.sizes[2], 1,
                 {labels.bytes.begin(), labels.bytes.end()}, std::move(classes),
                 usual ? folder : images_path);
}

Dataset idx_pictures(const std::string& path) {
  IdxData images = read_idx(path, kPictureMagic);
  std::vector<int64_t> labels(images.sizes[0], 0);
  return Dataset(std::move(images.bytes), images.sizes[1], images.sizes[2], 1, std::move(labels), {"?"},
                 path);
}

bool is_idx_folder(const std::string& folder, const std::string& split) {
  return !find_usual(folder, split, kPictures).empty() && !find_usual(folder, split, kLabels).empty();
}

}  // namespace iskra::zoo
