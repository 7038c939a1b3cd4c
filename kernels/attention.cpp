// Softmax attention, one (picture, head) pair at a time and its queries in blocks of rows, so that the scores
// of a block stay in the cache and memory grows with T, not with T squared. Backward recomputes the
// probabilities from lse:
//   P = exp(scale * q k^T - lse)      dv = P^T do
//   dS = scale * P * (do v^T - D)     with D = rowsum(do * o)
//   dq = dS k                         dk = dS^T q
#include <algorithm>
#include <type_traits>

#include <iskra/kernels/attention.isa.h>
#include <iskra/kernels/check.h>
#include <iskra/kernels/gemm.h>
#include <iskra/kernels/kernels.h>
#include <iskra/kernels/lanes.h>

namespace iskra::kernels {
namespace {

template <class T>
const AttentionTable<T>& table() {
  const AttentionTables& tables = by_isa(v2::attention_tables, v3::attention_tables, v4::attention_tables);
  if constexpr (std::is_same_v<T, float>)
    return tables.f32;
  else
    return tables.f64;
}

/// Sizes, and the cut of the queries into blocks of nearly equal length: from the shapes alone.
struct Sizes {
  int64_t items, heads, queries, keys, head;
  int64_t blocks, block_rows;

  Sizes(const View& q, const View& k)
      : items(q.size(0) * q.size(1)), heads(q.size(1)), queries(q.size(2)), keys(k.size(2)), head(q.size(3)) {
    constexpr int64_t kMaxScores = 131072, kMinRows = 32, kMaxRows = 128;
    const int64_t most = std::clamp(kMaxScores / std::max<int64_t>(keys, 1), kMinRows, kMaxRows);
    blocks = (queries + most - 1) / most;
    block_rows = blocks == 0 ? 0 : (queries + blocks - 1) / blocks;
    if (block_rows > 0) blocks = (queries + block_rows - 1) / block_rows;
  }
  int64_t rows_of(int64_t block) const { return std::min(block_rows, queries - block * block_rows); }
  int64_t last_rows() const { return rows_of(blocks - 1); }
};

template <class T>
const T* head_of(const View& x, const Sizes& s, int64_t item) {
  return x.as<T>() + item / s.heads * x.stride[0] + item % s.heads * x.stride[1];
}
template <class T>
T* head_of(const MutView& x, const Sizes& s, int64_t item) {
  return x.as<T>() + item / s.heads * x.stride[0] + item % s.heads * x.stride[1];
}

/// A product for the blocks of equal length and one for the last.
template <class T>
struct PerBlock {
  Product<T> full, last;
  size_t scratch_bytes() const { return std::max(full.scratch_bytes(), last.scratch_bytes()); }
};
template <class T, class F>
PerBlock<T> per_block(const Sizes& s, F&& make) {
  return {make(s.block_rows), make(s.last_rows())};
}

template <class T>
struct PerBlockRunner {
  ProductRunner<T> full, last;
  PerBlockRunner(const PerBlock<T>& of, void* scratch) : full(of.full, scratch), last(of.last, scratch) {}
  ProductRunner<T>& at(const Sizes& s, int64_t block) { return block == s.blocks - 1 ? last : full; }
};

template <class T>
void run_forward(const Cpu& on, const Sizes& s, View q, View k, View v, T scale, MutView o, T* lse) {
  const auto scores = per_block<T>(s, [&](int64_t rows) {
    return Product<T>(on.provider, {rows, s.keys, s.head, q.stride[2], 1, 1, k.stride[2], s.keys}, 0);
  });
  const auto values = per_block<T>(s, [&](int64_t rows) {
    return Product<T>(on.provider, {rows, s.head, s.keys, s.keys, 1, v.stride[2], 1, o.stride[2]}, 0);
  });
  const size_t product_bytes = std::max(scores.scratch_bytes(), values.scratch_bytes());
  const size_t score_bytes = static_cast<size_t>(s.block_rows * s.keys) * sizeof(T);
  const auto body = [&](Pieces& todo, char* memory) {
    PerBlockRunner<T> to_scores(scores, memory), to_values(values, memory);
    T* p = reinterpret_cast<T*>(memory + product_bytes);
    for (int64_t piece; todo.next(piece);) {
      const int64_t item = piece / s.blocks, block = piece % s.blocks, row = block * s.block_rows;
      to_scores.at(s, block)(head_of<T>(q, s, item) + row * q.stride[2], head_of<T>(k, s, item), p);
      table<T>().softmax(s.rows_of(block), s.keys, scale, p, lse + item * s.queries + row);
      to_values.at(s, block)(p, head_of<T>(v, s, item), head_of<T>(o, s, item) + row * o.stride[2]);
    }
  };
  parallel_lanes(on, s.items * s.blocks, product_bytes + score_bytes, "attention", body);
}

struct BackwardViews {
  View q, k, v, o, d_o;
  MutView dq, dk, dv;
};

/// The products of one item's backward pass. The gradients of keys and values grow from block to block.
template <class T>
struct BackwardProducts {
  PerBlock<T> scores, d_probabilities, dq;
  PerBlock<T> dk_first, dv_first, dk_add, dv_add;

  BackwardProducts(Provider provider, const Sizes& s, const BackwardViews& x)
      : scores(per_block<T>(s, [&](int64_t rows) { return by_keys(provider, s, rows, x.q, x.k); })),
        d_probabilities(
            per_block<T>(s, [&](int64_t rows) { return by_keys(provider, s, rows, x.d_o, x.v); })),
        dq(per_block<T>(s,
                        [&](int64_t rows) {
                          return Product<T>(
                              provider, {rows, s.head, s.keys, s.keys, 1, x.k.stride[2], 1, x.dq.stride[2]},
                              0);
                        })),
        dk_first(over_queries(provider, s, x.q, x.dk, 0)),
        dv_first(over_queries(provider, s, x.d_o, x.dv, 0)),
        dk_add(over_queries(provider, s, x.q, x.dk, 1)),
        dv_add(over_queries(provider, s, x.d_o, x.dv, 1)) {}

  size_t scratch_bytes() const {
    size_t most = 0;
    for (const auto* p : {&scores, &d_probabilities, &dq, &dk_first, &dv_first, &dk_add, &dv_add})
      most = std::max(most, p->scratch_bytes());
    return most;
  }

 private:
  /// (rows, keys) = a (rows, head) b (keys, head)^T
  static Product<T> by_keys(Provider provider, const Sizes& s, int64_t rows, const View& a, const View& b) {
    return {provider, {rows, s.keys, s.head, a.stride[2], 1, 1, b.stride[2], s.keys}, 0};
  }
  /// c (keys, head) (+)= a (rows, keys)^T b (rows, head)
  static PerBlock<T> over_queries(Provider provider, const Sizes& s, const View& b, const View& c,
                                  float beta) {
    return per_block<T>(s, [&](int64_t rows) {
      return Product<T>(provider, {s.keys, s.head, rows, 1, s.keys, b.stride[2], 1, c.stride[2]}, beta);
    });
  }
};

template <class T>
struct BackwardRunner {
  PerBlockRunner<T> scores, d_probabilities, dq, dk_first, dv_first, dk_add, dv_add;
  BackwardRunner(const BackwardProducts<T>& p, void* scratch)
      : scores(p.scores, scratch),
        d_probabilities(p.d_probabilities, scratch),
        dq(p.dq, scratch),
        dk_first(p.dk_first, scratch),
        dv_first(p.dv_first, scratch),
        dk_add(p.dk_add, scratch),
        dv_add(p.dv_add, scratch) {}

  /// One item; `p` and `dp` hold block_rows * keys values each, `delta` block_rows.
  void item(const Sizes& s, const BackwardViews& x, int64_t item, const T* lse, T scale, T* p, T* dp,
            T* delta) {
    const T *q = head_of<T>(x.q, s, item), *k = head_of<T>(x.k, s, item), *v = head_of<T>(x.v, s, item);
    const T *o = head_of<T>(x.o, s, item), *d_o = head_of<T>(x.d_o, s, item);
    T *to_dq = head_of<T>(x.dq, s, item), *to_dk = head_of<T>(x.dk, s, item),
      *to_dv = head_of<T>(x.dv, s, item);
    for (int64_t block = 0; block < s.blocks; ++block) {
      const int64_t row = block * s.block_rows, rows = s.rows_of(block);
      const T* block_q = q + row * x.q.stride[2];
      const T* block_do = d_o + row * x.d_o.stride[2];
      scores.at(s, block)(block_q, k, p);
      table<T>().probabilities(rows, s.keys, scale, lse + row, p);
      (block == 0 ? dv_first : dv_add).at(s, block)(p, block_do, to_dv);
      d_probabilities.at(s, block)(block_do, v, dp);
      table<T>().row_dots(rows, s.head, block_do, x.d_o.stride[2], o + row * x.o.stride[2], x.o.stride[2],
                          delta);
      table<T>().score_gradient(rows, s.keys, scale, p, delta, dp);
      dq.at(s, block)(dp, k, to_dq + row * x.dq.stride[2]);
      (block == 0 ? dk_first : dk_add).at(s, block)(dp, block_q, to_dk);
    }
  }
};

template <class T>
void run_backward(const Cpu& on, const Sizes& s, const BackwardViews& x, const T* lse, T scale) {
  const BackwardProducts<T> products(on.provider, s, x);
  const size_t product_bytes = products.scratch_bytes();
  const size_t score_bytes = round_up_64(static_cast<size_t>(s.block_rows * s.keys) * sizeof(T));
  const size_t delta_bytes = static_cast<size_t>(s.block_rows) * sizeof(T);
  const auto body = [&](Pieces& todo, char* memory) {
    BackwardRunner<T> run(products, memory);
    T* p = reinterpret_cast<T*>(memory + product_bytes);
    T* dp = reinterpret_cast<T*>(memory + product_bytes + score_bytes);
    T* delta = reinterpret_cast<T*>(memory + product_bytes + 2 * score_bytes);
    for (int64_t item; todo.next(item);) run.item(s, x, item, lse + item * s.queries, scale, p, dp, delta);
  };
  parallel_lanes(on, s.items, product_bytes + 2 * score_bytes + delta_bytes, "attention", body);
}

void check_head(const View& x, DType dtype, const char* op, const char* name) {
  ISKRA_CHECK(x.dtype == dtype, op, ": ", name, " is ", name_of(x.dtype), ", but q is ", name_of(dtype));
  ISKRA_CHECK(x.rank() == 4, op, ": ", name, " must have the axes (N,heads,T,head size), got ", x.shape);
  ISKRA_CHECK(x.size(3) <= 1 || x.stride[3] == 1, op, ": ", name, " ", x.shape, " has strides ", x.stride,
              ", but its last axis needs stride 1; make it contiguous first");
}

void check_attention(const View& q, const View& k, const View& v, const View& o, const View& lse,
                     const char* op) {
  check_head(q, q.dtype, op, "q");
  check_head(k, q.dtype, op, "k");
  check_head(v, q.dtype, op, "v");
  check_head(o, q.dtype, op, "o");
  ISKRA_CHECK(k.shape == v.shape, op, ": k is ", k.shape, ", but v ", v.shape);
  ISKRA_CHECK(o.shape == q.shape, op, ": q is ", q.shape, ", but o ", o.shape);
  ISKRA_CHECK(k.size(0) == q.size(0) && k.size(1) == q.size(1) && k.size(3) == q.size(3), op, ": q ", q.shape,
              " and k ", k.shape, " may differ in their tokens only");
  ISKRA_CHECK(lse.dtype == q.dtype && lse.contiguous() && lse.numel() == q.size(0) * q.size(1) * q.size(2),
              op, ": lse must be dense (N,heads,T) ", name_of(q.dtype), ", got ", lse.shape);
  ISKRA_CHECK(k.size(2) > 0 || q.numel() == 0, op, ": there is no key to attend to: k is ", k.shape);
  ISKRA_CHECK(q.dtype == DType::f32 || q.dtype == DType::f64, op, ": ", name_of(q.dtype),
              " is not supported on the CPU; use f32 or f64");
}

}  // namespace

void attention(Cpu on, View q, View k, View v, double scale, MutView o, MutView lse) {
  check_attention(q, k, v, o, lse, "attention");
  if (lse.numel() == 0) return;
  const Sizes s(q, k);
  if (q.dtype == DType::f32)
    run_forward<float>(on, s, q, k, v, static_cast<float>(scale), o, lse.as<float>());
  else
    run_forward<double>(on, s, q, k, v, scale, o, lse.as<double>());
}

void attention_backward(Cpu on, View q, View k, View v, View o, View lse, View do_, double scale, MutView dq,
                        MutView dk, MutView dv) {
  constexpr const char* kOp = "attention_backward";
  check_attention(q, k, v, o, lse, kOp);
  check_head(do_, q.dtype, kOp, "do");
  check_head(dq, q.dtype, kOp, "dq");
  check_head(dk, q.dtype, kOp, "dk");
  check_head(dv, q.dtype, kOp, "dv");
  ISKRA_CHECK(do_.shape == q.shape && dq.shape == q.shape && dk.shape == k.shape && dv.shape == k.shape, kOp,
              ": gradients must have the shapes of q ", q.shape, " and k ", k.shape);
  if (lse.numel() == 0) return fill(on, dk, 0), fill(on, dv, 0);
  const Sizes s(q, k);
  const BackwardViews x{q, k, v, o, do_, dq, dk, dv};
  if (q.dtype == DType::f32)
    run_backward<float>(on, s, x, lse.as<float>(), static_cast<float>(scale));
  else
    run_backward<double>(on, s, x, lse.as<double>(), scale);
}

}  // namespace iskra::kernels
