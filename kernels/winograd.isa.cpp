// Transforms of Winograd's F(4x4,3x3), compiled once per ISA level: raw pointers only. Vectors run over
// channels.
//
// A correlation of 3 taps with 6 values gives 4 sums: y = A' ((G g) * (B' d)), by evaluating polynomials at
// the points 0, +a, -a, +b, -b and infinity. The usual points (1 and 2) lose twice the digits of a = 5/8 and
// b = 3/2, whose products are short binary fractions too: only G rounds.
#include <iskra/kernels/winograd.isa.h>

namespace iskra::kernels::ISKRA_ISA {
namespace {

#if defined(__AVX512F__)
constexpr int64_t kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int64_t kVectorBytes = 32;
#else
constexpr int64_t kVectorBytes = 16;
#endif
constexpr int64_t kLanes = kVectorBytes / 4;
typedef float Vec __attribute__((vector_size(kVectorBytes)));
typedef float Unaligned __attribute__((vector_size(kVectorBytes), aligned(4), may_alias));

inline Vec load(const float* from) { return *reinterpret_cast<const Unaligned*>(from); }
inline void store(Vec v, float* to) { *reinterpret_cast<Unaligned*>(to) = v; }
inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

constexpr float kA = 0.625F, kB = 1.5F;
constexpr float kA2 = kA * kA, kB2 = kB * kB;
constexpr double kExactA2 = 0.625 * 0.625, kExactB2 = 1.5 * 1.5;
// One over the products of differences of the points.
constexpr double kN0 = 1 / (kExactA2 * kExactB2), kNa = 1 / (2 * kExactA2 * (kExactA2 - kExactB2)),
                 kNb = 1 / (2 * kExactB2 * (kExactB2 - kExactA2));

/// B' d: six values of six.
inline void input_line(const Vec* d, Vec* t) {
  const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
  t[0] = kA2 * kB2 * d0 + (d4 - (kA2 + kB2) * d2);
  const Vec even_a = d4 - kB2 * d2, odd_a = kA * (d3 - kB2 * d1);
  t[1] = even_a + odd_a;
  t[2] = even_a - odd_a;
  const Vec even_b = d4 - kA2 * d2, odd_b = kB * (d3 - kA2 * d1);
  t[3] = even_b + odd_b;
  t[4] = even_b - odd_b;
  t[5] = kA2 * kB2 * d1 + (d5 - (kA2 + kB2) * d3);
}

/// A' m: four sums of six values.
inline void output_line(const Vec* m, Vec* y) {
  const Vec m0 = m[0], m1 = m[1], m2 = m[2], m3 = m[3], m4 = m[4], m5 = m[5];
  const Vec even_a = m1 + m2, odd_a = kA * (m1 - m2), even_b = m3 + m4, odd_b = kB * (m3 - m4);
  y[0] = m0 + (even_a + even_b);
  y[1] = odd_a + odd_b;
  y[2] = kA2 * even_a + kB2 * even_b;
  y[3] = m5 + (kA2 * odd_a + kB2 * odd_b);
}

/// A dy: six values of four.
inline void gradient_line(const Vec* y, Vec* z) {
  const Vec y0 = y[0], y1 = y[1], y2 = y[2], y3 = y[3];
  const Vec even_a = y0 + kA2 * y2, odd_a = kA * (y1 + kA2 * y3);
  const Vec even_b = y0 + kB2 * y2, odd_b = kB * (y1 + kB2 * y3);
  z[0] = y0;
  z[1] = even_a + odd_a;
  z[2] = even_a - odd_a;
  z[3] = even_b + odd_b;
  z[4] = even_b - odd_b;
  z[5] = y3;
}

/// G g: six values of three.
inline void filter_line(const Vec* g, Vec* u) {
  constexpr auto kOfA = static_cast<float>(kNa), kOfB = static_cast<float>(kNb);
  const Vec g0 = g[0], g1 = g[1], g2 = g[2];
  const Vec even_a = kOfA * (g0 + kA2 * g2), odd_a = kOfA * (kA * g1);
  const Vec even_b = kOfB * (g0 + kB2 * g2), odd_b = kOfB * (kB * g1);
  u[0] = static_cast<float>(kN0) * g0;
  u[1] = even_a + odd_a;
  u[2] = even_a - odd_a;
  u[3] = even_b + odd_b;
  u[4] = even_b - odd_b;
  u[5] = g2;
}

/// G' u: three sums of six values.
inline void filter_gradient_line(const Vec* u, Vec* g) {
  constexpr auto kOfA = static_cast<float>(kNa), kOfB = static_cast<float>(kNb);
  const Vec u0 = u[0], u1 = u[1], u2 = u[2], u3 = u[3], u4 = u[4], u5 = u[5];
  const Vec even_a = kOfA * (u1 + u2), even_b = kOfB * (u3 + u4);
  g[0] = static_cast<float>(kN0) * u0 + (even_a + even_b);
  g[1] = kOfA * (kA * (u1 - u2)) + kOfB * (kB * (u3 - u4));
  g[2] = u5 + (kA2 * even_a + kB2 * even_b);
}

alignas(64) constexpr float kZeros[kLanes] = {};

struct Tile {
  int64_t image, row, col;  ///< row and column in tiles
};
inline Tile tile_of(const WinogradPictures& at, int64_t number) {
  const int64_t each = at.tile_rows * at.tile_cols, within = number % each;
  return {number / each, within / at.tile_cols, within % at.tile_cols};
}

/// Where the pixels of one window lie; those outside of the picture point to zeros and stay there.
template <int64_t Size>
struct Window {
  const float* pixel[Size * Size];
  int64_t moves[Size * Size];  ///< all bits set, or none: what to keep of a channel's number

  Window(const WinogradPictures& at, int64_t number, const float* x) {
    const Tile tile = tile_of(at, number);
    const int64_t top = 4 * tile.row - at.before[0], left = 4 * tile.col - at.before[1];
    for (int64_t i = 0; i < Size; ++i) {
      const int64_t h = top + i;
      const bool row_inside = h >= 0 && h < at.height;
      const float* pixel_at = x + ((tile.image * at.height + h) * at.width + left) * at.channels;
      for (int64_t j = 0; j < Size; ++j, pixel_at += at.channels) {
        const bool inside = row_inside && left + j >= 0 && left + j < at.width;
        pixel[i * Size + j] = inside ? pixel_at : kZeros;
        moves[i * Size + j] = inside ? -1 : 0;
      }
    }
  }
  Vec full(int64_t i, int64_t c) const { return load(pixel[i] + (c & moves[i])); }
  /// The last channels, `count` of them.
  Vec some(int64_t i, int64_t c, int64_t count) const {
    alignas(64) float values[kLanes] = {};
    for (int64_t lane = 0; lane < count; ++lane) values[lane] = pixel[i][(c + lane) & moves[i]];
    return load(values);
  }
};

inline int64_t round_up_16(int64_t n) { return (n + 15) / 16 * 16; }

/// out = L d L', where Line makes six values of Size ones; `at` gives the vector of a pixel.
template <int64_t Size, class Line, class At>
inline void transform_window(Line line, At at, int64_t next, float* out) {
  Vec t[6 * Size];
#pragma GCC unroll 6
  for (int64_t j = 0; j < Size; ++j) {
    Vec column[Size], six[6];
#pragma GCC unroll 6
    for (int64_t i = 0; i < Size; ++i) column[i] = at(i * Size + j);
    line(column, six);
#pragma GCC unroll 6
    for (int64_t i = 0; i < 6; ++i) t[i * Size + j] = six[i];
  }
#pragma GCC unroll 6
  for (int64_t i = 0; i < 6; ++i) {
    Vec six[6];
    line(t + Size * i, six);
#pragma GCC unroll 6
    for (int64_t j = 0; j < 6; ++j) store(six[j], out + (6 * i + j) * next);
  }
}

template <int64_t Size, class Line>
inline void transform_windows(const WinogradPictures& at, const WinogradBlock& block, const float* x,
                              const WinogradMatrices& to, float* out, Line line) {
  for (int64_t tile = 0; tile < block.count; ++tile, out += to.row) {
    const Window<Size> window(at, block.first + tile, x);
    int64_t c = 0;
    for (; c + kLanes <= block.channels; c += kLanes)
      transform_window<Size>(line, [&](int64_t i) { return window.full(i, c); }, to.next, out + c);
    for (; c < round_up_16(block.channels); c += kLanes)
      transform_window<Size>(
          line, [&](int64_t i) { return window.some(i, c, block.channels - c); }, to.next, out + c);
  }
}

void input(const WinogradPictures& at, const WinogradBlock& block, const float* x, const WinogradMatrices& to,
           float* v) {
  transform_windows<6>(at, block, x, to, v, [](const Vec* d, Vec* t) { input_line(d, t); });
}

void gradient(const WinogradPictures& at, const WinogradBlock& block, const float* dy,
              const WinogradMatrices& to, float* z) {
  transform_windows<4>(at, block, dy, to, z, [](const Vec* y, Vec* t) { gradient_line(y, t); });
}

/// A' m A for one tile and one vector of channels.
inline void output_tile(const float* m, int64_t next, Vec* y) {
  Vec t[24];
#pragma GCC unroll 6
  for (int64_t j = 0; j < 6; ++j) {
    Vec column[6], four[4];
#pragma GCC unroll 6
    for (int64_t i = 0; i < 6; ++i) column[i] = load(m + (6 * i + j) * next);
    output_line(column, four);
#pragma GCC unroll 4
    for (int64_t i = 0; i < 4; ++i) t[6 * i + j] = four[i];
  }
#pragma GCC unroll 4
  for (int64_t i = 0; i < 4; ++i) output_line(t + 6 * i, y + 4 * i);
}

inline void store_some(Vec v, int64_t count, float* to) {
  if (count >= kLanes) return store(v, to);
  for (int64_t lane = 0; lane < count; ++lane) to[lane] = v[lane];
}

template <bool Relu>
void output_tiles(const WinogradPictures& at, const WinogradBlock& block, const WinogradMatrices& from,
                  const float* m, const float* bias, float* y) {
  for (int64_t number = 0; number < block.count; ++number) {
    const Tile tile = tile_of(at, block.first + number);
    const int64_t rows = least(4, at.height - 4 * tile.row), cols = least(4, at.width - 4 * tile.col);
    float* first = y + ((tile.image * at.height + 4 * tile.row) * at.width + 4 * tile.col) * at.channels;
    for (int64_t c = 0; c < block.channels; c += kLanes) {
      const int64_t count = block.channels - c;
      Vec sums[16], b = {};
      output_tile(m + number * from.row + c, from.next, sums);
      if (bias != nullptr)
        for (int64_t lane = 0; lane < least(count, kLanes); ++lane) b[lane] = bias[c + lane];
      for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < cols; ++j) {
          Vec v = sums[4 * i + j] + b;
          if constexpr (Relu) v = v < 0 ? Vec{} : v;
          store_some(v, count, first + (i * at.width + j) * at.channels + c);
        }
    }
  }
}

void output(const WinogradPictures& at, const WinogradBlock& block, const WinogradMatrices& from,
            const float* m, const float* bias, bool relu, float* y) {
  if (relu)
    output_tiles<true>(at, block, from, m, bias, y);
  else
    output_tiles<false>(at, block, from, m, bias, y);
}

/// u = G g G', one vector wide; a tap's vector is `step` values after the one before.
inline void transform_filter(const float* taps, int64_t step, int64_t next, float* u) {
  transform_window<3>([](const Vec* g, Vec* six) { filter_line(g, six); },
                      [&](int64_t i) { return load(taps + i * step); }, next, u);
}

void filters(const float* w, int64_t channels, int64_t begin, int64_t end, const WinogradMatrices& to,
             float* u) {
  // So many filters side by side fill whole lines of the cache, and pages are not left after every store.
  constexpr int64_t kWide = 64, kChannels = 4;
  for (int64_t k = begin; k < end; k += kWide)
    for (int64_t c = 0; c < channels; c += kChannels) {
      alignas(64) float taps[kChannels * 9][kWide];
      const int64_t wide = least(kWide, end - k), padded = round_up_16(wide);
      const int64_t some = least(kChannels, channels - c), count = 9 * some;
      for (int64_t lane = 0; lane < wide; ++lane) {
        const float* from = w + ((k + lane) * channels + c) * 9;
        for (int64_t i = 0; i < count; ++i) taps[i][lane] = from[i];
      }
      for (int64_t i = 0; i < count; ++i)
        for (int64_t lane = wide; lane < padded; ++lane) taps[i][lane] = 0;
      for (int64_t i = 0; i < some; ++i)
        for (int64_t lane = 0; lane < padded; lane += kLanes)
          transform_filter(taps[9 * i] + lane, kWide, to.next, u + (c + i) * to.row + k + lane);
    }
}

void turned_filters(const float* w, int64_t channels, int64_t begin, int64_t end, const WinogradMatrices& to,
                    float* u) {
  for (int64_t k = begin; k < end; ++k)
    for (int64_t c = 0; c < round_up_16(channels); c += kLanes) {
      alignas(64) float taps[9][kLanes] = {};
      const float* from = w + (k * channels + c) * 9;
      for (int64_t lane = 0; lane < least(kLanes, channels - c); ++lane)
        for (int64_t tap = 0; tap < 9; ++tap) taps[8 - tap][lane] = from[lane * 9 + tap];
      transform_filter(taps[0], kLanes, to.next, u + k * to.row + c);
    }
}

void filter_gradient(int64_t filters, int64_t channels, const WinogradMatrices& from, const float* du,
                     float* dw) {
  for (int64_t k = 0; k < filters; ++k)
    for (int64_t c = 0; c < channels; c += kLanes) {
      const float* u = du + k * from.row + c;
      Vec t[18];
      for (int64_t j = 0; j < 6; ++j) {
        Vec column[6], three[3];
        for (int64_t i = 0; i < 6; ++i) column[i] = load(u + (6 * i + j) * from.next);
        filter_gradient_line(column, three);
        for (int64_t i = 0; i < 3; ++i) t[6 * i + j] = three[i];
      }
      alignas(64) float taps[9][kLanes];
      for (int64_t i = 0; i < 3; ++i) {
        Vec three[3];
        filter_gradient_line(t + 6 * i, three);
        for (int64_t j = 0; j < 3; ++j) store(three[j], taps[3 * i + j]);
      }
      float* to = dw + (k * channels + c) * 9;
      for (int64_t lane = 0; lane < least(kLanes, channels - c); ++lane)
        for (int64_t tap = 0; tap < 9; ++tap) to[lane * 9 + tap] = taps[tap][lane];
    }
}

}  // namespace

extern const WinogradTable winograd_table = {input,   output,         gradient,
                                             filters, turned_filters, filter_gradient};

}  // namespace iskra::kernels::ISKRA_ISA
