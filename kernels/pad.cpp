// Padding with elements of the tensor itself: reflected, repeated or from the other side.
//
// The axes of what is written are walked as pixels (the innermost ones that take no padding, dense on both
// sides), lines of pixels, and the axes around them. Work is cut into pieces of lines by shape alone; the
// inside of a line is one run, its border a few pixels. Backward reads: a piece of dx adds up the lines of dy
// that were made from it, in the order of their places.
#include <algorithm>

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/lines.h>
#include <iskra/kernels/pad_places.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/runs.isa.h>

namespace iskra::kernels {
namespace {

constexpr int64_t kPiece = 16384;  // elements

/// A tensor and what it is padded to, as pixels, lines and axes around them.
struct PadPlan {
  PadPlan(const View& x, const View& y, const Shape& before, bool by_x) {
    PaddedAxis all[Shape::kMaxRank];
    const int count = padded_axes(x, y, before, by_x, all);
    int next = 0;
    auto dense = [&](int i) { return all[i].x_stride == pixel && all[i].y_stride == pixel; };
    while (next < count && all[next].plain() && dense(next) && pixel < kPiece) pixel *= all[next++].size;
    if (next < count) line = all[next++];
    while (next < count) around[axes++] = all[next++];
  }

  int64_t pixel = 1;  ///< elements
  PaddedAxis line;
  int axes = 0;
  PaddedAxis around[Shape::kMaxRank];
};

/// Pieces of lines: `length` pixels each, and `width` elements of every pixel.
struct Cut {
  Cut(const PadPlan& plan, bool of_x) : pixel(plan.pixel), pixels(of_x ? plan.line.size : plan.line.padded) {
    width = std::min(pixel, kPiece);
    length = std::min(pixels, std::max<int64_t>(1, kPiece / width));
    widths = (pixel + width - 1) / width;
    lengths = (pixels + length - 1) / length;
    count = widths * lengths;
    for (int i = 0; i < plan.axes; ++i) {
      around[i] = of_x ? plan.around[i].size : plan.around[i].padded;
      count *= around[i];
    }
  }
  /// Elements [c0, c1) of pixels [begin, end) of the line at `place` along the axes around it.
  struct Piece {
    int64_t c0, c1, begin, end;
    int64_t place[Shape::kMaxRank];
  };
  Piece operator[](int64_t item) const {
    Piece at{};
    at.c0 = item % widths * width;
    at.c1 = std::min(at.c0 + width, pixel);
    item /= widths;
    at.begin = item % lengths * length;
    at.end = std::min(at.begin + length, pixels);
    item /= lengths;
    for (int i = 0; i < Shape::kMaxRank && around[i] > 0; item /= around[i++]) at.place[i] = item % around[i];
    return at;
  }

  int64_t pixel, pixels, width = 1, length = 1, widths = 1, lengths = 1, count = 1;
  int64_t around[Shape::kMaxRank] = {};
};

template <class T>
void pad_piece(const PadPlan& plan, PadMode mode, const Cut::Piece& piece, const T* x, T* y) {
  for (int i = 0; i < plan.axes; ++i) {
    x += source(plan.around[i], mode, piece.place[i]) * plan.around[i].x_stride;
    y += piece.place[i] * plan.around[i].y_stride;
  }
  const PaddedAxis& line = plan.line;
  const int64_t n = piece.c1 - piece.c0;
  auto copy_pixels = [&](const T* from, int64_t from_stride, T* to, int64_t to_stride, int64_t count) {
    if (count > 1 && n == from_stride && n == to_stride) {
      std::copy_n(from, n * count, to);
    } else if (n == 1) {
      for (int64_t i = 0; i < count; ++i) to[i * to_stride] = from[i * from_stride];
    } else {
      for (int64_t i = 0; i < count; ++i) std::copy_n(from + i * from_stride, n, to + i * to_stride);
    }
  };
  x += piece.c0;
  y += piece.c0;
  const int64_t first = std::clamp(line.before, piece.begin, piece.end),
                last = std::clamp(line.before + line.size, piece.begin, piece.end);
  auto border = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      copy_pixels(x + source(line, mode, i) * line.x_stride, 0, y + i * line.y_stride, 0, 1);
  };
  border(piece.begin, first);
  copy_pixels(x + (first - line.before) * line.x_stride, line.x_stride, y + first * line.y_stride,
              line.y_stride, last - first);
  border(last, piece.end);
}

/// Adds the lines of dy that a piece of dx went to.
class PadBackward {
 public:
  PadBackward(const PadPlan& plan, PadMode mode, View dy, MutView dx)
      : plan_(plan), mode_(mode), dy_(dy), dx_(dx), type_(floating_type_index(dx.dtype, "pad_backward")) {
    const bool wide = dx.dtype == DType::f32 || dx.dtype == DType::f64;
    acc_bytes_ = dx.dtype == DType::f64 ? 8 : 4;
    in_place_ = wide && plan.line.x_stride == plan.pixel;
  }
  size_t lane_bytes(const Cut& cut) const {
    return in_place_ && cut.widths == 1 ? 0 : static_cast<size_t>(cut.width * cut.length * acc_bytes_);
  }

  void operator()(const Cut::Piece& piece, char* memory) const {
    const int64_t n = piece.c1 - piece.c0;
    int64_t offset = piece.begin * plan_.line.x_stride + piece.c0;
    for (int i = 0; i < plan_.axes; ++i) offset += piece.place[i] * plan_.around[i].x_stride;
    char* acc = memory != nullptr ? memory : at(dx_, offset);

    Images images[Shape::kMaxRank];
    int64_t turn[Shape::kMaxRank] = {};
    for (int i = 0; i < plan_.axes; ++i) images[i] = Images(plan_.around[i], mode_, piece.place[i]);
    for (bool first = true;; first = false) {
      int64_t from = piece.c0;
      for (int i = 0; i < plan_.axes; ++i) from += images[i][turn[i]] * plan_.around[i].y_stride;
      add_line(piece, from, first, acc);
      int axis = 0;
      for (; axis < plan_.axes && ++turn[axis] == images[axis].count(); ++axis) turn[axis] = 0;
      if (axis == plan_.axes) break;
    }
    if (memory == nullptr) return;
    each_pixel(piece.end - piece.begin, n, plan_.line.x_stride, [&](int64_t i, int64_t count) {
      run_loops().narrow[type_](acc + i * n * acc_bytes_, count, at(dx_, offset + i * plan_.line.x_stride));
    });
  }

 private:
  // One call for all pixels where they lie densely, else one for each.
  template <class F>
  static void each_pixel(int64_t pixels, int64_t n, int64_t stride, F f) {
    if (stride == n) return f(0, pixels * n);
    for (int64_t i = 0; i < pixels; ++i) f(i, n);
  }

  // The line of dy from `from` on, as far as its pixels were made from this piece.
  void add_line(const Cut::Piece& piece, int64_t from, bool first, char* acc) const {
    const PaddedAxis& line = plan_.line;
    const int64_t n = piece.c1 - piece.c0, pixels = piece.end - piece.begin;
    const auto put = first ? run_loops().widen[type_] : run_loops().add[type_];
    const int64_t own = from + (line.before + piece.begin) * line.y_stride;
    each_pixel(pixels, n, line.y_stride, [&](int64_t i, int64_t count) {
      put(at(dy_, own + i * line.y_stride), count, acc + i * n * acc_bytes_);
    });
    auto border = [&](int64_t begin, int64_t end) {
      for (int64_t j = begin; j < end; ++j) {
        const int64_t i = source(line, mode_, j);
        if (i >= piece.begin && i < piece.end)
          run_loops().add[type_](at(dy_, from + j * line.y_stride), n,
                                 acc + (i - piece.begin) * n * acc_bytes_);
      }
    };
    border(0, line.before);
    border(line.before + line.size, line.padded);
  }

  const PadPlan& plan_;
  PadMode mode_;
  View dy_;
  MutView dx_;
  int type_;
  int64_t acc_bytes_;
  bool in_place_;
};

}  // namespace

void pad(Cpu on, PadMode mode, View x, const Shape& before, MutView y) {
  if (y.numel() == 0) return;
  const PadPlan plan(x, y, before, false);
  const Cut cut(plan, false);
  with_bits_of(x.dtype, [&](auto bits) {
    using T = decltype(bits);
    // Small pieces are taken in groups.
    const int64_t grain = std::max<int64_t>(1, kPiece / (cut.width * cut.length));
    parallel_for(on, cut.count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t item = begin; item < end; ++item) pad_piece(plan, mode, cut[item], x.as<T>(), y.as<T>());
    });
  });
}

void pad_backward(Cpu on, PadMode mode, View dy, const Shape& before, MutView dx) {
  if (dx.numel() == 0) return;
  const PadPlan plan(dx, dy, before, true);
  const Cut cut(plan, true);
  const PadBackward backward(plan, mode, dy, dx);
  const int64_t grain = std::max<int64_t>(1, kPiece / (cut.width * cut.length));
  parallel_lanes(on, (cut.count + grain - 1) / grain, backward.lane_bytes(cut), "pad_backward",
                 [&](Pieces& pieces, char* memory) {
                   for (int64_t group = 0; pieces.next(group);)
                     for (int64_t item = group * grain; item < std::min(cut.count, (group + 1) * grain);
                          ++item)
                       backward(cut[item], memory);
                 });
}

}  // namespace iskra::kernels
