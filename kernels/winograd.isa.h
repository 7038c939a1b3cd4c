// Transforms of Winograd's F(4x4,3x3), one table for each ISA level. winograd.h has the formula.
#pragma once

#include <cstdint>

#include <iskra/kernels/isa.h>

namespace iskra::kernels {

/// Channels-last pictures, seen as tiles of 4 x 4 pixels that are numbered through the batch. A window is a
/// tile, or 6 x 6 pixels around it; what lies outside of a picture is zero.
struct WinogradPictures {
  int64_t height = 0, width = 0, channels = 0;
  int64_t tile_rows = 0, tile_cols = 0;  ///< of one picture
  int64_t before[2] = {0, 0};            ///< a window begins so many pixels before its tile; may be negative
};

/// Tiles [first, first + count), and `channels` channels of their pixels; the pointer that goes with it is to
/// the first of these channels in the first pixel of the batch.
struct WinogradBlock {
  int64_t first = 0, count = 0, channels = 0;
};

/// 36 matrices, `next` values from one to the next, whose rows are `row` values apart.
struct WinogradMatrices {
  int64_t next = 0, row = 0;
};

/// Rows of matrices are tiles, columns channels; rows are written up to a multiple of 16 columns, with zeros
/// behind the last channel.
struct WinogradTable {
  /// v = B' d B of each window d of 6 x 6 pixels.
  void (*input)(const WinogradPictures& at, const WinogradBlock& block, const float* x,
                const WinogradMatrices& to, float* v);
  /// y = A' m A + bias, 4 x 4 pixels of each tile as far as they lie in the picture; then its positive part
  /// if `relu`. Null bias: none.
  void (*output)(const WinogradPictures& at, const WinogradBlock& block, const WinogradMatrices& from,
                 const float* m, const float* bias, bool relu, float* y);
  /// z = A dy A' of each tile dy.
  void (*gradient)(const WinogradPictures& at, const WinogradBlock& block, const float* dy,
                   const WinogradMatrices& to, float* z);
  /// u = G w G' for filters [begin, end) of w (K,C,3,3): rows are channels, columns filters. A multiple of 16
  /// is `begin`, and `end` unless it is K.
  void (*filters)(const float* w, int64_t channels, int64_t begin, int64_t end, const WinogradMatrices& to,
                  float* u);
  /// The same of filters turned by half a turn: rows are filters, columns channels.
  void (*turned_filters)(const float* w, int64_t channels, int64_t begin, int64_t end,
                         const WinogradMatrices& to, float* u);
  /// dw (filters, channels, 3, 3) = G' du G; rows of du are filters, columns channels.
  void (*filter_gradient)(int64_t filters, int64_t channels, const WinogradMatrices& from, const float* du,
                          float* dw);
};

ISKRA_ISA_TABLES(WinogradTable, winograd_table)

}  // namespace iskra::kernels
