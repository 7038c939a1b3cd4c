// Winograd convolution: tiles are numbered through the batch and cut into blocks, filters into slices; a
// piece of work is a block (or a chunk of blocks) by a slice. Its thread transforms windows, multiplies 36
// times, and transforms back. A row of a product has the same bits however many rows there are (see Product),
// so a picture does not feel where blocks begin.
#include <iskra/kernels/winograd.h>

#include <algorithm>
#include <array>
#include <optional>

#include <iskra/kernels/lanes.h>
#include <iskra/kernels/winograd.isa.h>

namespace iskra::kernels::winograd {
namespace {

constexpr int64_t kMatrices = 36;

const WinogradTable& table() { return by_isa(v2::winograd_table, v3::winograd_table, v4::winograd_table); }

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }
int64_t parts_of(int64_t n, int64_t most) { return (n + most - 1) / most; }

/// Rows of `cols` values. Matrices do not begin a power of two apart, or the 36 rows of a tile would compete
/// for the same lines of the cache.
WinogradMatrices matrices(int64_t rows, int64_t cols) {
  const int64_t row = round_up(cols, 16);
  return {rows * row + 16, row};
}
size_t bytes_of(const WinogradMatrices& m) { return sizeof(float) * static_cast<size_t>(kMatrices * m.next); }

/// n things in equal parts, multiples of `multiple`; the last part may be smaller.
struct Parts {
  int64_t each, count, last;
  Parts(int64_t n, int64_t wanted, int64_t multiple = 1)
      : each(round_up(parts_of(n, wanted), multiple)),
        count(parts_of(n, each)),
        last(n - (count - 1) * each) {}
  int64_t begin(int64_t i) const { return i * each; }
  int64_t size(int64_t i) const { return is_last(i) ? last : each; }
  bool is_last(int64_t i) const { return i == count - 1; }
};

/// A 3x3 correlation of stride 1 from one batch of pictures to another.
struct Pass {
  int64_t images;
  WinogradPictures from, to;

  static Pass forward(const ConvShape& s) {
    return {s.images, picture(s.height, s.width, s.channels), picture(s.out_height, s.out_width, s.filters),
            s.at.padding[0], s.at.padding[1]};
  }
  static Pass backward_data(const ConvShape& s) {
    return {s.images, picture(s.out_height, s.out_width, s.filters), picture(s.height, s.width, s.channels),
            2 - s.at.padding[0], 2 - s.at.padding[1]};
  }
  int64_t tiles() const { return images * to.tile_rows * to.tile_cols; }

 private:
  Pass(int64_t count, const WinogradPictures& source, const WinogradPictures& result, int64_t above,
       int64_t left)
      : images(count), from(source), to(result) {
    from.tile_rows = to.tile_rows;
    from.tile_cols = to.tile_cols;
    from.before[0] = above;
    from.before[1] = left;
  }
  static WinogradPictures picture(int64_t height, int64_t width, int64_t channels) {
    return {height, width, channels, parts_of(height, 4), parts_of(width, 4), {0, 0}};
  }
};

/// Products of a call that differ in a few sizes …
template <size_t N>
using Products = std::array<std::optional<Product>, N>;

template <size_t N>
size_t scratch_bytes_of(const Products<N>& products) {
  size_t bytes = 0;
  for (const auto& p : products) bytes = std::max(bytes, p->scratch_bytes());
  return bytes;
}

/// … and the runners of a lane, each made when the lane first meets its product.
template <size_t N>
class Runners {
 public:
  Runners(const Products<N>& products, void* memory) : products_(products), memory_(memory) {}
  ProductRunner& operator[](size_t i) {
    if (!runners_[i]) runners_[i].emplace(*products_[i], memory_);
    return *runners_[i];
  }

 private:
  const Products<N>& products_;
  void* memory_;
  std::array<std::optional<ProductRunner>, N> runners_;
};

/// How a correlation is cut. A block's 36 matrices pass through the second cache one by one; larger blocks
/// read the filters less often, which matters most. (One core, 256 channels at 56 x 56, four pictures: 51 ms
/// by blocks of 32 tiles, 46 by 64, 44 by 96 to 196.)
struct ForwardCut {
  Parts blocks, slices;  ///< of tiles, of filters

  explicit ForwardCut(const Pass& pass)
      : blocks(pass.tiles(), block_count(pass.tiles())),
        slices(pass.to.channels, parts_of(pass.to.channels, 256), 16) {}

 private:
  /// A few blocks are made four or a multiple of it, as long as they do not become small: so that cores share
  /// them evenly.
  static int64_t block_count(int64_t tiles) {
    constexpr int64_t kMost = 96, kLeast = 40, kEven = 4;
    const int64_t count = parts_of(tiles, kMost), even = round_up(count, kEven);
    return tiles / even >= kLeast ? even : count;
  }
};

/// What neither bias nor ReLU is: done in place on the pixels of a block.
void finish_block(const WinogradPictures& p, const WinogradBlock& block, int64_t first_channel,
                  const ConvThen<float>& then, float* y) {
  const int64_t each = p.tile_rows * p.tile_cols;
  for (int64_t tile = block.first; tile < block.first + block.count; ++tile) {
    const int64_t row = tile % each / p.tile_cols * 4, col = tile % p.tile_cols * 4;
    const EpilogueRows rows{std::min<int64_t>(4, p.width - col),
                            block.channels,
                            p.channels,
                            p.channels,
                            p.channels,
                            p.channels,
                            then.activation,
                            false};
    for (int64_t h = row; h < std::min(row + 4, p.height); ++h) {
      const int64_t at = ((tile / each * p.height + h) * p.width + col) * p.channels + first_channel;
      epilogue<float>().finish(rows, y + at, nullptr, then.residual == nullptr ? nullptr : then.residual + at,
                               then.preactivation == nullptr ? nullptr : then.preactivation + at, y + at);
    }
  }
}

/// u: transformed filters, rows are the channels of x.
void correlate(const Cpu& on, const Pass& pass, const float* x, const WinogradMatrices& of_u, const float* u,
               const ConvThen<float>& then, const char* op, float* y) {
  const ForwardCut cut(pass);
  const int64_t channels = pass.from.channels;
  const WinogradMatrices of_v = matrices(cut.blocks.each, channels),
                         of_m = matrices(cut.blocks.each, cut.slices.each);
  Products<4> products;
  for (size_t i = 0; i < products.size(); ++i) {
    ProductSpec spec;
    spec.shape = {(i & 1) == 0 ? cut.blocks.each : cut.blocks.last,
                  (i & 2) == 0 ? cut.slices.each : cut.slices.last,
                  channels,
                  of_v.row,
                  1,
                  of_u.row,
                  1,
                  of_m.row};
    products[i].emplace(on.provider, spec);
  }
  const bool relu_alone =
      then.activation == Activation::relu && then.residual == nullptr && then.preactivation == nullptr;
  const bool finish = then.beyond_bias() && !relu_alone;
  const size_t bytes = bytes_of(of_v) + bytes_of(of_m) + scratch_bytes_of(products);
  parallel_lanes(on, cut.blocks.count * cut.slices.count, bytes, op, [&](Pieces& todo, char* memory) {
    auto* v = reinterpret_cast<float*>(memory);
    auto* m = reinterpret_cast<float*>(memory + bytes_of(of_v));
    Runners<4> runners(products, memory + bytes_of(of_v) + bytes_of(of_m));
    for (int64_t piece; todo.next(piece);) {
      const int64_t i = piece / cut.slices.count, j = piece % cut.slices.count;
      const int64_t first = cut.blocks.begin(i), filter = cut.slices.begin(j);
      const WinogradBlock result{first, cut.blocks.size(i), cut.slices.size(j)};
      table().input(pass.from, {first, result.count, channels}, x, of_v, v);
      ProductRunner& multiply = runners[(cut.blocks.is_last(i) ? 1 : 0) + (cut.slices.is_last(j) ? 2 : 0)];
      for (int64_t n = 0; n < kMatrices; ++n)
        multiply({v + n * of_v.next, u + n * of_u.next + filter, m + n * of_m.next});
      table().output(pass.to, result, of_m, m, then.bias == nullptr ? nullptr : then.bias + filter,
                     relu_alone, y + filter);
      if (finish) finish_block(pass.to, result, filter, then, y);
    }
  });
}

/// How a weight gradient is cut: a chunk of blocks is summed on one thread, block after block, and the chunks
/// are added in order.
struct GradientCut {
  Parts blocks, chunks, slices;  ///< of tiles, of blocks, of filters

  explicit GradientCut(const Pass& pass)
      : blocks(pass.tiles(), parts_of(pass.tiles(), most_tiles(weights(pass)))),
        chunks(blocks.count, chunk_count(blocks.count, weights(pass))),
        slices(pass.to.channels, parts_of(pass.to.channels, 128), 16) {}

 private:
  static int64_t weights(const Pass& pass) { return pass.from.channels * pass.to.channels; }
  /// Every block reads and writes all the sums. (One core, 256 channels at 56 x 56, four pictures: 58 ms by
  /// blocks of 64 tiles, 51 by 96 or 128, 50 by 196.)
  static int64_t most_tiles(int64_t weights) { return weights <= 128 * 128 ? 64 : 128; }
  static int64_t chunk_count(int64_t blocks, int64_t weights) {
    constexpr int64_t kMost = 8, kMostValues = int64_t{1} << 24;  // 64 MiB of partial sums
    return std::clamp<int64_t>(std::min(blocks / 2, kMostValues / (9 * weights)), 1, kMost);
  }
};

/// The products of a weight gradient: sums (filters of a slice, channels), from tiles of a block; the first
/// block of a chunk overwrites, the others add.
struct GradientProducts {
  WinogradMatrices of_v, of_z, of_sums;
  Products<8> products;

  GradientProducts(Provider provider, const GradientCut& cut, int64_t channels)
      : of_v(matrices(cut.blocks.each, channels)),
        of_z(matrices(cut.blocks.each, cut.slices.each)),
        of_sums(matrices(cut.slices.each, channels)) {
    for (size_t i = 0; i < products.size(); ++i) {
      ProductSpec spec;
      spec.shape = {(i & 2) == 0 ? cut.slices.each : cut.slices.last,
                    channels,
                    (i & 1) == 0 ? cut.blocks.each : cut.blocks.last,
                    1,
                    of_z.row,
                    of_v.row,
                    1,
                    of_sums.row};
      spec.beta = (i & 4) == 0 ? 0.0F : 1.0F;
      products[i].emplace(provider, spec);
    }
  }
  size_t lane_bytes() const {
    return bytes_of(of_v) + bytes_of(of_z) + bytes_of(of_sums) + scratch_bytes_of(products);
  }
};

/// The memory of a lane, and its runners.
struct GradientLane {
  float *v, *z, *sums;
  Runners<8> runners;

  GradientLane(const GradientProducts& p, char* memory)
      : v(reinterpret_cast<float*>(memory)),
        z(reinterpret_cast<float*>(memory + bytes_of(p.of_v))),
        sums(reinterpret_cast<float*>(memory + bytes_of(p.of_v) + bytes_of(p.of_z))),
        runners(p.products, memory + bytes_of(p.of_v) + bytes_of(p.of_z) + bytes_of(p.of_sums)) {}
};

}  // namespace

bool possible(const ConvShape& s) {
  const Conv2d& at = s.at;
  return s.filter_height == 3 && s.filter_width == 3 && at.stride[0] == 1 && at.stride[1] == 1 &&
         at.dilation[0] == 1 && at.dilation[1] == 1 && at.groups == 1;
}

namespace {

int64_t picture_tiles(const ConvShape& s) { return parts_of(s.out_height, 4) * parts_of(s.out_width, 4); }

/// Enough channels that transforms cost less than they save, and tiles that are not mostly beyond the edge.
/// At 16 to 16 channels all three directions are as fast as direct ones, at 16 to 32 1.6 times, at 32 to 32
/// twice; 8 to 64 is slower.
bool pays_at_all(const ConvShape& s) {
  return possible(s) && std::min(s.channels, s.filters) >= 16 && std::max(s.channels, s.filters) >= 32 &&
         2 * s.out_pixels() >= 16 * picture_tiles(s);
}

constexpr int64_t kLeastTiles = 16;  // over which transforming the filters is spread

}  // namespace

bool pays(const ConvShape& s) { return pays_at_all(s) && picture_tiles(s) >= kLeastTiles; }
bool pays_for_weights(const ConvShape& s) {
  return pays_at_all(s) && s.images * picture_tiles(s) >= kLeastTiles;
}

void conv2d(const Cpu& on, const ConvShape& s, const float* x, const float* w, const ConvThen<float>& then,
            float* y) {
  constexpr const char* kOp = "conv2d";
  const WinogradMatrices of_u = matrices(s.channels, s.filters);
  auto* u = static_cast<float*>(scratch_bytes(on, bytes_of(of_u), kOp));
  parallel_for(on, s.filters, 64,
               [&](int64_t begin, int64_t end) { table().filters(w, s.channels, begin, end, of_u, u); });
  correlate(on, Pass::forward(s), x, of_u, u, then, kOp, y);
}

void conv2d_backward_data(const Cpu& on, const ConvShape& s, const float* w, const float* dy,
                          const float* bias, float* dx) {
  constexpr const char* kOp = "conv2d_backward_data";
  const WinogradMatrices of_u = matrices(s.filters, s.channels);
  auto* u = static_cast<float*>(scratch_bytes(on, bytes_of(of_u), kOp));
  parallel_for(on, s.filters, 16, [&](int64_t begin, int64_t end) {
    table().turned_filters(w, s.channels, begin, end, of_u, u);
  });
  ConvThen<float> then;
  then.bias = bias;
  correlate(on, Pass::backward_data(s), dy, of_u, u, then, kOp, dx);
}

void conv2d_backward_weight(const Cpu& on, const ConvShape& s, const float* x, const float* dy, float* dw,
                            float beta) {
  constexpr const char* kOp = "conv2d_backward_weight";
  const Pass pass = Pass::forward(s);
  const GradientCut cut(pass);
  const GradientProducts p(on.provider, cut, s.channels);
  const int64_t n = s.weights();
  const bool apart = beta != 0 || cut.chunks.count > 1;
  float* partials = apart ? scratch_of<float>(on, n * cut.chunks.count, kOp) : dw;
  parallel_lanes(
      on, cut.chunks.count * cut.slices.count, p.lane_bytes(), kOp, [&](Pieces& todo, char* memory) {
        GradientLane lane(p, memory);
        for (int64_t piece; todo.next(piece);) {
          const int64_t chunk = piece / cut.slices.count, slice = piece % cut.slices.count;
          const int64_t filter = cut.slices.begin(slice), filters = cut.slices.size(slice);
          const int64_t begin = cut.chunks.begin(chunk), end = begin + cut.chunks.size(chunk);
          for (int64_t i = begin; i < end; ++i) {
            const int64_t first = cut.blocks.begin(i), tiles = cut.blocks.size(i);
            table().input(pass.from, {first, tiles, s.channels}, x, p.of_v, lane.v);
            table().gradient(pass.to, {first, tiles, filters}, dy + filter, p.of_z, lane.z);
            ProductRunner& multiply =
                lane.runners[(cut.blocks.is_last(i) ? 1 : 0) + (cut.slices.is_last(slice) ? 2 : 0) +
                             (i == begin ? 0 : 4)];
            for (int64_t j = 0; j < kMatrices; ++j)
              multiply({lane.z + j * p.of_z.next, lane.v + j * p.of_v.next, lane.sums + j * p.of_sums.next});
          }
          table().filter_gradient(filters, s.channels, p.of_sums, lane.sums,
                                  partials + chunk * n + filter * s.channels * 9);
        }
      });
  if (!apart) return;
  add_partials(on, partials, cut.chunks.count, n);
  store_gradient(on, partials, n, beta, dw);
}

}  // namespace iskra::kernels::winograd
