// What the forward and the backward pass of attention on the CPU share: sizes, the cut into blocks of
// queries, heads in the type they are computed in, masks and dropout. The public functions are in kernels.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <iskra/kernels/attention.isa.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>

namespace iskra::kernels {

/// Sizes, and the cut of the queries into blocks of nearly equal length: from the shapes of one picture
/// alone.
struct AttentionSizes {
  int64_t pictures, heads, key_heads, queries, keys, head, value_head;
  int64_t blocks, block_rows;

  AttentionSizes(const View& q, const View& k, const View& v);
  int64_t items() const { return pictures * heads; }
  /// Heads of queries that read the same keys.
  int64_t group() const { return heads / key_heads; }
  int64_t rows_of(int64_t block) const { return std::min(block_rows, queries - block * block_rows); }
  /// The item of keys and values that an item of queries reads.
  int64_t key_item(int64_t item) const { return item / heads * key_heads + item % heads / group(); }
};

template <class T>
const AttentionTable<T>& attention_table();

/// The first element of a head; `heads` of them in a picture.
template <class S>
const S* head_of(const View& x, int64_t heads, int64_t item) {
  return x.as<S>() + item / heads * x.stride[0] + item % heads * x.stride[1];
}
template <class S>
S* head_of(const MutView& x, int64_t heads, int64_t item) {
  return x.as<S>() + item / heads * x.stride[0] + item % heads * x.stride[1];
}

/// Rows of one head in the type they are computed in: where they lie, or (16-bit types) a dense copy.
template <class S>
constexpr bool kWidened = !std::is_same_v<S, Compute<S>>;
/// Elements from row to row, as products read them.
template <class S>
int64_t row_stride(const View& x) {
  return kWidened<S> ? x.size(3) : x.stride[2];
}
/// Values of the copy of `rows` rows; 0 where none is made.
template <class S>
int64_t copied(const View& x, int64_t rows) {
  return kWidened<S> ? rows * x.size(3) : 0;
}
template <class S>
const Compute<S>* rows_of_head(const View& x, const S* from, int64_t rows, Compute<S>* copy) {
  if constexpr (!kWidened<S>) {
    return from;
  } else {
    for (int64_t i = 0; i < rows; ++i)
      epilogue<S>().widen(x.size(3), from + i * x.stride[2], copy + i * x.size(3));
    return copy;
  }
}
/// The other way: rounds the copy into the rows, once.
template <class S>
void store_rows(const MutView& x, const Compute<S>* copy, int64_t rows, S* to) {
  if constexpr (kWidened<S>) {
    EpilogueRows at;
    at.rows = rows;
    at.cols = at.sums_row = x.size(3);
    at.y_row = x.stride[2];
    epilogue<S>().finish(at, copy, nullptr, nullptr, nullptr, to);
  }
}

/// Scale, mask and dropout of blocks of scores.
template <class T>
class ScoreRules {
 public:
  ScoreRules(const Attention& at, const AttentionSizes& s);
  /// Values of a lane's memory for the mask of a block; 0 where it is read in place.
  int64_t mask_values() const;
  bool drops() const { return at_.dropout > 0; }
  T scale() const { return static_cast<T>(at_.scale); }

  /// scores (rows, keys) of queries first … of `item` become scale * score + mask; `scale_left` is what is
  /// still to be multiplied.
  T apply(int64_t item, int64_t first, int64_t rows, T* scores, T* mask_memory) const;
  /// to = from with the block's elements dropped or scaled; `to` may be `from`.
  void drop(int64_t item, int64_t first, int64_t rows, const T* from, T* to) const;

 private:
  const T* mask_rows(int64_t item, int64_t first, int64_t rows, T* memory, int64_t& row) const;
  const Attention& at_;
  const AttentionSizes& s_;
};

/// A product for the blocks of equal length and one for the last.
struct PerBlock {
  Product full, last;
  size_t scratch_bytes() const { return std::max(full.scratch_bytes(), last.scratch_bytes()); }
};
template <class F>
PerBlock per_block(const AttentionSizes& s, F&& make) {
  return {make(s.block_rows), make(s.rows_of(s.blocks - 1))};
}
template <class T>
Product attention_product(Provider provider, const GemmShape& shape, float beta) {
  ProductSpec spec;
  spec.shape = shape;
  spec.in = spec.out = dtype_of<T>;
  spec.beta = beta;
  return {provider, spec};
}

struct PerBlockRunner {
  ProductRunner full, last;
  PerBlockRunner(const PerBlock& of, void* scratch) : full(of.full, scratch), last(of.last, scratch) {}
  ProductRunner& at(const AttentionSizes& s, int64_t block) { return block == s.blocks - 1 ? last : full; }
};

/// Hands out a lane's memory piece by piece. With null memory it only counts.
class Carver {
 public:
  explicit Carver(char* memory) : memory_(memory) {}
  template <class T>
  T* of(int64_t count) {
    const size_t at = bytes_;
    bytes_ += round_up_64(sizeof(T) * static_cast<size_t>(count));
    return memory_ == nullptr ? nullptr : reinterpret_cast<T*>(memory_ + at);
  }
  size_t bytes() const { return bytes_; }

 private:
  char* memory_;
  size_t bytes_ = 0;
};

}  // namespace iskra::kernels
