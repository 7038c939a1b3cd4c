#include <algorithm>

#include <iskra/kernels/base.h>
#include <iskra/kernels/check.h>

namespace iskra {

size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
      return 2;
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  throw Error(text("size_of: ", static_cast<int>(dtype), " is no DType"));
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::f64:
      return "f64";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
  }
  throw Error(text("name_of: ", static_cast<int>(dtype), " is no DType"));
}

namespace {
void check_rank(size_t rank) {
  ISKRA_CHECK(rank <= Shape::kMaxRank, "shape: ", rank, " dimensions; iskra holds at most ",
              static_cast<int>(Shape::kMaxRank), ", merge some of them first");
}
}  // namespace

Shape::Shape(std::initializer_list<int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
  check_rank(sizes.size());
  std::copy(sizes.begin(), sizes.end(), v_);
}

Shape::Shape(const std::vector<int64_t>& sizes) : rank_(static_cast<int>(sizes.size())) {
  check_rank(sizes.size());
  std::copy(sizes.begin(), sizes.end(), v_);
}

Shape Shape::filled(int rank, int64_t value) {
  check_rank(static_cast<size_t>(rank));
  Shape shape;
  shape.rank_ = rank;
  std::fill_n(shape.v_, rank, value);
  return shape;
}

int64_t Shape::numel() const {
  int64_t n = 1;
  for (int64_t size : *this) n *= size;
  return n;
}

void Shape::push_back(int64_t size) { insert(rank_, size); }

void Shape::insert(int at, int64_t size) {
  check_rank(static_cast<size_t>(rank_) + 1);
  std::copy_backward(v_ + at, v_ + rank_, v_ + rank_ + 1);
  v_[at] = size;
  ++rank_;
}

void Shape::erase(int at) {
  std::copy(v_ + at + 1, v_ + rank_, v_ + at);
  --rank_;
}

bool Shape::operator==(const Shape& other) const {
  return rank_ == other.rank_ && std::equal(begin(), end(), other.begin());
}

std::string Shape::str() const {
  std::string out = "(";
  for (int i = 0; i < rank_; ++i) {
    if (i > 0) out += ", ";
    out += std::to_string(v_[i]);
  }
  return out + ")";
}

Shape contiguous_strides(const Shape& shape) {
  Shape stride = shape;
  int64_t step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) {
    stride[i] = step;
    step *= std::max<int64_t>(shape[i], 1);
  }
  return stride;
}

Shape channels_last_strides(const Shape& shape) {
  ISKRA_CHECK(shape.rank() == 4, "channels_last_strides: shape ", shape, " has ", shape.rank(),
              " dimensions, not the 4 of (N, C, H, W)");
  Shape nhwc = contiguous_strides({shape[0], shape[2], shape[3], shape[1]});
  return {nhwc[0], nhwc[3], nhwc[1], nhwc[2]};
}

Shape broadcast_shapes(const Shape& a, const Shape& b, const char* op) {
  Shape out = Shape::filled(std::max(a.rank(), b.rank()), 1);
  for (int i = 1; i <= out.rank(); ++i) {
    int64_t sa = i <= a.rank() ? a[a.rank() - i] : 1;
    int64_t sb = i <= b.rank() ? b[b.rank() - i] : 1;
    ISKRA_CHECK(sa == sb || sa == 1 || sb == 1, op, ": shapes ", a, " and ", b, " do not broadcast: sizes ",
                sa, " and ", sb, " at dimension ", -i, " must be equal, or one of them 1");
    out[out.rank() - i] = sa == 1 ? sb : sa;
  }
  return out;
}

namespace kernels {
namespace {
// Strides of dimensions of size 1 mean nothing, and a tensor without elements is dense in every layout.
bool same_layout(const Shape& shape, const Shape& stride, const Shape& wanted) {
  if (shape.numel() == 0) return true;
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] != 1 && stride[i] != wanted[i]) return false;
  return true;
}
}  // namespace

bool View::contiguous() const { return same_layout(shape, stride, contiguous_strides(shape)); }

bool View::channels_last() const {
  return shape.rank() == 4 && same_layout(shape, stride, channels_last_strides(shape));
}

}  // namespace kernels
}  // namespace iskra
