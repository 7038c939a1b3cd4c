#include <iskra/zoo/weights/npy.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <vector>

#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kLargestHeader = 64 << 10;
constexpr uint64_t kLargestElements = uint64_t{1} << 48;

struct Format {
  DType dtype;
  std::string_view descr;
};
constexpr std::array<Format, 5> kFormats = {
    {{DType::f32, "<f4"}, {DType::f64, "<f8"}, {DType::i64, "<i8"}, {DType::i32, "<i4"}, {DType::u8, "|u1"}}};

struct Header {
  std::string descr;
  bool fortran_order = false;
  std::vector<int64_t> shape;
};

/// Reads the Python dict literal of a header: exactly the keys descr, fortran_order and shape, each once.
class HeaderParser {
 public:
  HeaderParser(std::string_view text, const std::string& name) : text_(text), name_(name) {}

  Header parse() {
    Header header;
    std::array<bool, 3> seen{};
    expect('{');
    while (!take('}')) {
      std::string key = quoted();
      expect(':');
      int which = key == "descr" ? 0 : key == "fortran_order" ? 1 : key == "shape" ? 2 : -1;
      check(which >= 0 && !seen[static_cast<size_t>(which)], "unexpected key '" + key + "'");
      seen[static_cast<size_t>(which)] = true;
      if (which == 0) header.descr = quoted();
      if (which == 1) header.fortran_order = boolean();
      if (which == 2) header.shape = tuple();
      if (!take(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    check(at_ == text_.size(), "something follows the header");
    check(seen[0] && seen[1] && seen[2], "descr, fortran_order or shape is missing");
    return header;
  }

 private:
  void check(bool good, const std::string& what) const {
    ISKRA_CHECK(good, name_, ": damaged .npy header: ", what, " at byte ", at_);
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { check(take(c), std::string(1, c) + " expected"); }
  bool take_word(std::string_view word) {
    skip_spaces();
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  std::string quoted() {
    skip_spaces();
    char quote = at_ < text_.size() ? text_[at_] : '\0';
    check(quote == '\'' || quote == '"', "quoted text expected");
    size_t end = text_.find(quote, at_ + 1);
    check(end != std::string_view::npos, "quoted text without an end");
    std::string out(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return out;
  }

  bool boolean() {
    if (take_word("True")) return true;
    check(take_word("False"), "True or False expected");
    return false;
  }

  std::vector<int64_t> tuple() {
    std::vector<int64_t> out;
    expect('(');
    while (!take(')')) {
      skip_spaces();
      int64_t size = 0;
      auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), size);
      check(error == std::errc() && size >= 0, "a size expected");
      at_ = static_cast<size_t>(end - text_.data());
      out.push_back(size);
      if (!take(',')) {
        expect(')');
        check(out.size() > 1, "a tuple of one needs a comma");
        break;
      }
    }
    return out;
  }

  std::string_view text_;
  const std::string& name_;
  size_t at_ = 0;
};

/// Number of elements; nothing when it is absurd.
std::optional<uint64_t> count_elements(const std::vector<int64_t>& shape) {
  uint64_t count = 1;
  for (int64_t size : shape) {
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(size), &count) || count > kLargestElements)
      return {};
  }
  return count;
}

/// Where the header lies.
struct Frame {
  size_t begin, length;
};

Frame find_header(std::string_view bytes, const std::string& name) {
  ISKRA_CHECK(bytes.size() >= 10 && bytes.substr(0, 6) == kMagic, name,
              ": no .npy file (it does not start with \\x93NUMPY)");
  auto byte = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(bytes[i])); };
  size_t major = byte(6), minor = byte(7);
  ISKRA_CHECK(major >= 1 && major <= 3 && minor == 0, name, ": .npy version ", major, ".", minor,
              " is unknown; 1.0, 2.0 and 3.0 are read");
  if (major == 1) return {10, byte(8) | byte(9) << 8};
  ISKRA_CHECK(bytes.size() >= 12, name, ": truncated .npy header");
  return {12, byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24};
}

const Format& format_of(DType dtype) {
  for (const Format& f : kFormats) {
    if (f.dtype == dtype) return f;
  }
  throw Error(text("write_npy: dtype ", name_of(dtype), " has no place in .npy; convert to f32 first"));
}

}  // namespace

Tensor parse_npy(std::string_view bytes, const std::string& name) {
  Frame frame = find_header(bytes, name);
  ISKRA_CHECK(frame.length <= kLargestHeader, name, ": .npy header of ", frame.length, " bytes; at most ",
              kLargestHeader, " are read");
  ISKRA_CHECK(frame.length <= bytes.size() - frame.begin, name, ": truncated .npy header: ", frame.length,
              " bytes said, ", bytes.size() - frame.begin, " there");
  Header header = HeaderParser(bytes.substr(frame.begin, frame.length), name).parse();
  const Format* format = nullptr;
  for (const Format& f : kFormats) {
    if (f.descr == header.descr) format = &f;
  }
  ISKRA_CHECK(format != nullptr, name, ": dtype '", header.descr,
              "' is not read; save float32, float64, int64, int32 or uint8, little-endian");
  ISKRA_CHECK(!header.fortran_order, name, ": Fortran order is not read; save np.ascontiguousarray(x)");
  ISKRA_CHECK(header.shape.size() <= static_cast<size_t>(Shape::kMaxRank), name, ": ", header.shape.size(),
              " axes; at most ", Shape::kMaxRank, " are read");
  std::optional<uint64_t> count = count_elements(header.shape);
  std::string_view data = bytes.substr(frame.begin + frame.length);
  ISKRA_CHECK(count && *count * size_of(format->dtype) == data.size(), name, ": ",
              count ? text(*count * size_of(format->dtype), " bytes of data said") : text("an absurd shape"),
              ", ", data.size(), " there; the file is truncated or damaged");
  return Tensor::from_bytes(data.data(), static_cast<size_t>(*count), format->dtype, Shape(header.shape),
                            Device::cpu());
}

Tensor read_npy(const std::string& path) { return parse_npy(read_file(path), path); }

void write_npy(const std::string& path, const Tensor& tensor) {
  const Format& format = format_of(tensor.dtype());
  std::string shape;
  for (int64_t size : tensor.shape()) (shape += shape.empty() ? "" : ", ") += std::to_string(size);
  if (tensor.rank() == 1) shape += ",";
  std::string header =
      text("{'descr': '", std::string(format.descr), "', 'fortran_order': False, 'shape': (", shape, "), }");
  // The data starts at a multiple of 64.
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  std::string start(kMagic);
  start += {'\x01', '\x00', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  Tensor dense = tensor.detach().to(Device::cpu()).contiguous();
  AtomicFile file(path);
  file.write(start + header);
  file.write(dense.raw_data(), dense.bytes());
  file.commit();
}

}  // namespace iskra::zoo
