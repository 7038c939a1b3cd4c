// Convolution by oneDNN: pictures in blocks of a fixed number, large pictures in bands of rows, each piece on
// one thread; weights are brought into the layout that oneDNN prefers once per call. The cut depends on one
// picture's shape alone, so that its bits do not depend on its neighbours.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/onednn.h>

namespace iskra::kernels::vendor {
namespace {

using onednn::Direction;

constexpr int64_t kMaxBands = 8;
constexpr int64_t kBandRows = 7;  // at least

/// Some rows of a picture as a convolution of their own: rows [in_row, in_row + shape.height) before, and
/// [out_row, out_row + shape.out_height) after.
struct Band {
  ConvShape shape;
  int64_t in_row = 0, out_row = 0;
};

/// Output rows [begin, end): the input rows they read, and what padding is left.
Band forward_band(const ConvShape& s, int64_t begin, int64_t end) {
  const int64_t first = begin * s.at.stride[0] - s.at.padding[0];
  const int64_t last =
      (end - 1) * s.at.stride[0] - s.at.padding[0] + (s.filter_height - 1) * s.at.dilation[0];
  Band band{s, std::max<int64_t>(first, 0), begin};
  band.shape.at.padding[0] = band.in_row - first;
  band.shape.height = std::min(last + 1, s.height) - band.in_row;
  band.shape.out_height = end - begin;
  return band;
}

/// Input rows [begin, end) of a convolution of stride 1: the output rows whose gradients reach them.
Band data_band(const ConvShape& s, int64_t begin, int64_t end) {
  const int64_t reach = (s.filter_height - 1) * s.at.dilation[0];
  const int64_t first = std::max<int64_t>(begin + s.at.padding[0] - reach, 0);
  const int64_t last = std::min(end - 1 + s.at.padding[0], s.out_height - 1);
  Band band{s, begin, first};
  band.shape.at.padding[0] = s.at.padding[0] + begin - first;
  band.shape.height = end - begin;
  band.shape.out_height = last + 1 - first;
  return band;
}

bool whole_windows(const Band& band) {
  const ConvShape& s = band.shape;
  return s.height > 0 && s.out_height > 0 && s.at.padding[0] <= (s.filter_height - 1) * s.at.dilation[0];
}

/// The bands of a picture, or the whole of it as the only one.
struct Bands {
  int64_t count = 1;

  explicit Bands(const ConvShape& s) { band_[0] = {s, 0, 0}; }
  /// Into at most `most` equal bands of `rows` rows, where every one can be computed alone.
  void cut(Direction direction, const ConvShape& s, int64_t rows, int64_t most) {
    if (most < 2) return;
    const int64_t each = (rows + most - 1) / most;
    std::array<Band, kMaxBands> bands;
    int64_t made = 0;
    for (int64_t row = 0; row < rows; row += each) {
      const int64_t end = std::min(row + each, rows);
      Band next = direction == Direction::forward ? forward_band(s, row, end) : data_band(s, row, end);
      if (!whole_windows(next)) return;
      bands[static_cast<size_t>(made++)] = next;
    }
    band_ = bands;
    count = made;
  }
  const Band& operator[](int64_t i) const { return band_[static_cast<size_t>(i)]; }

 private:
  std::array<Band, kMaxBands> band_;
};

/// How the work of a call is cut, from the shape of a picture (and, for tiny ones, their number).
struct Cut {
  int64_t images = 1;  ///< of a block
  int64_t blocks = 1;
  Bands bands;

  Cut(const ConvShape& s, Direction direction) : bands(s) {
    constexpr double kBlockOperations = 2e6;   // worth a call's overhead
    constexpr double kBandOperations = 100e6;  // about a millisecond
    images = std::clamp<int64_t>(static_cast<int64_t>(kBlockOperations / std::max(s.operations(), 1.0)), 1,
                                 s.images);
    blocks = (s.images + images - 1) / images;
    if (direction == Direction::backward_data && s.at.stride[0] != 1) return;
    const int64_t rows = direction == Direction::forward ? s.out_height : s.height;
    bands.cut(
        direction, s, rows,
        std::min({kMaxBands, static_cast<int64_t>(s.operations() / kBandOperations), rows / kBandRows}));
  }
  int64_t images_of(const ConvShape& s, int64_t block) const {
    return block == blocks - 1 ? s.images - block * images : images;
  }
};

/// Between plain weights and the program's own, in the direction that it needs.
void reorder(const Cpu& on, const onednn::Program& convolution, const void* from, void* to) {
  const std::vector<onednn::ProgramPtr>& parts = onednn::weight_reorders(convolution);
  parallel_for(on, static_cast<int64_t>(parts.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) onednn::Runner(*parts[static_cast<size_t>(i)], nullptr)({from, to});
  });
}

/// A program for each band of a full block and of the last, with their reordered weights.
class Programs {
 public:
  Programs(const onednn::ConvSpec& spec, const Cut& cut) : cut_(cut) {
    const int64_t bands = cut.bands.count;
    for (int64_t i = 0; i < 2 * bands; ++i) {
      onednn::ConvSpec one = spec;
      one.shape = cut.bands[i % bands].shape;
      one.shape.images = cut.images_of(spec.shape, i < bands ? 0 : cut.blocks - 1);
      auto& program = programs_[static_cast<size_t>(i)] = onednn::convolution(one);
      if (program)
        scratch_bytes_ = std::max(scratch_bytes_, onednn::scratch_bytes(*program));
      else
        defined_ = false;
    }
  }
  bool defined() const { return defined_; }
  size_t scratch_bytes() const { return scratch_bytes_; }
  size_t count() const { return 2 * static_cast<size_t>(cut_.bands.count); }
  size_t index(int64_t block, int64_t band) const {
    return static_cast<size_t>(band + (block == cut_.blocks - 1 ? cut_.bands.count : 0));
  }
  const onednn::Program& operator[](size_t i) const { return *programs_[i]; }
  const void* weights(size_t i) const { return weights_[i]; }

  /// Fills the programs' weights from plain ones, once for each layout.
  void reorder_weights(const Cpu& on, const void* w, const char* op) {
    for (size_t i = 0; i < count(); ++i) {
      for (size_t j = 0; j < i && weights_[i] == nullptr; ++j)
        if (onednn::same_weights(*programs_[i], *programs_[j])) weights_[i] = weights_[j];
      if (weights_[i] != nullptr) continue;
      void* to = scratch_bytes_for(on, onednn::weight_bytes(*programs_[i]), op);
      reorder(on, *programs_[i], w, to);
      weights_[i] = to;
    }
  }

 private:
  static void* scratch_bytes_for(const Cpu& on, size_t bytes, const char* op) {
    return iskra::kernels::scratch_bytes(on, bytes, op);
  }
  const Cut& cut_;
  std::array<onednn::ProgramPtr, 2 * kMaxBands> programs_;
  std::array<const void*, 2 * kMaxBands> weights_{};
  size_t scratch_bytes_ = 0;
  bool defined_ = true;
};

/// The runners of a lane, each made when the lane first meets its program.
class LaneRunners {
 public:
  LaneRunners(const Programs& programs, void* memory) : programs_(programs), memory_(memory) {}
  onednn::Runner& operator[](size_t i) {
    auto& runner = runners_[i];
    if (!runner) runner.emplace(programs_[i], memory_);
    return *runner;
  }

 private:
  const Programs& programs_;
  void* memory_;
  std::array<std::optional<onednn::Runner>, 2 * kMaxBands> runners_;
};

/// The largest result of a piece, in values.
int64_t largest_result(const ConvShape& s, const Cut& cut, Direction direction) {
  int64_t most = 0;
  for (int64_t i = 0; i < cut.bands.count; ++i) {
    const ConvShape& band = cut.bands[i].shape;
    most = std::max(most, direction == Direction::forward ? band.out_picture() : band.picture());
  }
  return most * std::min(cut.images, s.images);
}

/// Calls body(run, first image, its number, band, program's index, sums) for every piece on some lane; `sums`
/// is the lane's memory for `sum_values` floats.
template <class F>
void for_pieces(const Cpu& on, const ConvShape& s, const Cut& cut, const Programs& programs,
                int64_t sum_values, const char* op, F&& body) {
  const size_t sum_bytes = round_up_64(static_cast<size_t>(sum_values) * sizeof(float));
  parallel_lanes(on, cut.blocks * cut.bands.count, sum_bytes + programs.scratch_bytes(), op,
                 [&](Pieces& todo, char* memory) {
                   LaneRunners run(programs, memory + sum_bytes);
                   for (int64_t piece; todo.next(piece);) {
                     const int64_t block = piece / cut.bands.count, band = piece % cut.bands.count;
                     body(run, block * cut.images, cut.images_of(s, block), cut.bands[band],
                          programs.index(block, band), reinterpret_cast<float*>(memory));
                   }
                 });
}

}  // namespace

template <class S>
bool conv2d(const Cpu& on, const ConvShape& s, const S* x, const S* w, const ConvThen<S>& then, S* y) {
  const bool relu =
      then.activation == Activation::relu && then.residual == nullptr && then.preactivation == nullptr;
  const bool finish = then.beyond_bias() && !relu, apart = finish && dtype_of<S> != DType::f32;
  const Cut cut(s, Direction::forward);
  Programs programs(
      {s, Direction::forward, dtype_of<S>, apart ? DType::f32 : dtype_of<S>, then.bias != nullptr, relu},
      cut);
  if (!programs.defined()) return false;
  programs.reorder_weights(on, w, "conv2d");
  const int64_t sum_values = apart ? largest_result(s, cut, Direction::forward) : 0;
  for_pieces(
      on, s, cut, programs, sum_values, "conv2d",
      [&](LaneRunners& run, int64_t image, int64_t images, const Band& band, size_t which, float* sums) {
        const S* from = x + image * s.picture() + band.in_row * s.width * s.channels;
        const int64_t at = image * s.out_picture() + band.out_row * s.out_width * s.filters;
        void* to = apart ? static_cast<void*>(sums) : y + at;
        if (then.bias == nullptr)
          run[which]({from, programs.weights(which), to});
        else
          run[which]({from, programs.weights(which), then.bias, to});
        if (finish)
          finish_pixels<S>(then, images * band.shape.out_pixels(), s.filters, static_cast<const float*>(to),
                           nullptr, at, y);
      });
  return true;
}

template <class S>
bool conv2d_backward_data(const Cpu& on, const ConvShape& s, const S* w, const S* dy, const float* bias,
                          S* dx) {
  constexpr const char* kOp = "conv2d_backward_data";
  const bool apart = bias != nullptr && dtype_of<S> != DType::f32;
  const Cut cut(s, Direction::backward_data);
  Programs programs({s, Direction::backward_data, dtype_of<S>, apart ? DType::f32 : dtype_of<S>}, cut);
  if (!programs.defined()) return false;
  programs.reorder_weights(on, w, kOp);
  const int64_t sum_values = apart ? largest_result(s, cut, Direction::backward_data) : 0;
  for_pieces(
      on, s, cut, programs, sum_values, kOp,
      [&](LaneRunners& run, int64_t image, int64_t images, const Band& band, size_t which, float* sums) {
        const S* from = dy + image * s.out_picture() + band.out_row * s.out_width * s.filters;
        const int64_t at = image * s.picture() + band.in_row * s.width * s.channels;
        void* to = apart ? static_cast<void*>(sums) : dx + at;
        run[which]({from, programs.weights(which), to});
        if (bias != nullptr)
          finish_pixels<S>({}, images * band.shape.height * s.width, s.channels,
                           static_cast<const float*>(to), bias, at, dx);
      });
  return true;
}

namespace {

/// How a weight gradient is cut: into chunks of pictures, or, where these are few, bands of rows of each.
struct WeightCut {
  WeightChunks chunks;
  Bands bands;

  explicit WeightCut(const ConvShape& s) : chunks(s), bands(s) {
    constexpr int64_t kLeastPixels = 512;  // for which another partial sum costs little beside its products
    if (chunks.images > 1) return;
    const auto most = std::min({kMaxBands / chunks.count, s.out_pixels() / kLeastPixels,
                                s.out_height / kBandRows, kMostPartials / (chunks.count * s.weights())});
    bands.cut(Direction::forward, s, s.out_height, most);
  }
  int64_t pieces() const { return chunks.count * bands.count; }
};

}  // namespace

template <class S, class D>
bool conv2d_backward_weight(const Cpu& on, const ConvShape& s, const S* x, const S* dy, D* dw, float beta) {
  constexpr const char* kOp = "conv2d_backward_weight";
  const WeightCut cut(s);
  const WeightChunks& chunks = cut.chunks;
  std::array<onednn::ProgramPtr, 2 * kMaxBands> programs;  // of the bands of a chunk, and of the last chunk
  size_t bytes = 0;
  for (int64_t i = 0; i < 2 * cut.bands.count; ++i) {
    onednn::ConvSpec spec{cut.bands[i % cut.bands.count].shape, Direction::backward_weight, dtype_of<S>,
                          DType::f32};
    spec.shape.images = i < cut.bands.count ? chunks.images : s.images - (chunks.count - 1) * chunks.images;
    const auto& program = programs[static_cast<size_t>(i)] = onednn::convolution(spec);
    if (!program || !onednn::same_weights(*programs[0], *program)) return false;
    bytes = std::max(bytes, onednn::scratch_bytes(*program));
  }
  const auto n = static_cast<int64_t>(onednn::weight_bytes(*programs[0]) / sizeof(float));
  float* partials = scratch_of<float>(on, n * cut.pieces(), kOp);
  parallel_lanes(on, cut.pieces(), bytes, kOp, [&](Pieces& todo, void* memory) {
    std::array<std::optional<onednn::Runner>, 2 * kMaxBands> runners;
    for (int64_t piece; todo.next(piece);) {
      const int64_t chunk = piece / cut.bands.count, i = piece % cut.bands.count;
      const auto which = static_cast<size_t>(i + (chunk == chunks.count - 1 ? cut.bands.count : 0));
      if (!runners[which]) runners[which].emplace(*programs[which], memory);
      const int64_t image = chunk * chunks.images;
      const Band& band = cut.bands[i];
      (*runners[which])({x + image * s.picture() + band.in_row * s.width * s.channels,
                         dy + image * s.out_picture() + band.out_row * s.out_width * s.filters,
                         partials + piece * n});
    }
  });
  add_partials(on, partials, cut.pieces(), n);
  const bool apart = beta != 0 || dtype_of<D> != DType::f32;
  void* plain = apart ? static_cast<void*>(scratch_of<float>(on, s.weights(), kOp)) : dw;
  reorder(on, *programs[0], partials, plain);
  if (apart) store_gradient(on, static_cast<const float*>(plain), s.weights(), beta, dw);
  return true;
}

#define ISKRA_INSTANTIATE(S)                                                                              \
  template bool conv2d(const Cpu&, const ConvShape&, const S*, const S*, const ConvThen<S>&, S*);         \
  template bool conv2d_backward_data(const Cpu&, const ConvShape&, const S*, const S*, const float*, S*); \
  template bool conv2d_backward_weight(const Cpu&, const ConvShape&, const S*, const S*, S*, float);
ISKRA_INSTANTIATE(float)
ISKRA_INSTANTIATE(bf16)
template bool conv2d_backward_weight(const Cpu&, const ConvShape&, const bf16*, const bf16*, float*, float);
#undef ISKRA_INSTANTIATE

}  // namespace iskra::kernels::vendor
