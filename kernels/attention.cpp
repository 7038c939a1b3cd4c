// Softmax attention, one (picture, head) pair at a time and its queries in blocks of rows, so that the scores
// of a block stay in the cache and memory grows with T, not with T squared.
//   P = softmax(scale * q k^T + mask)     o = drop(P) v
#include <iskra/kernels/attention_check.h>
#include <iskra/kernels/attention_plan.h>

namespace iskra::kernels {
namespace {

/// A lane's memory.
template <class S>
struct Lane {
  using T = Compute<S>;
  char* product;
  T *p, *mask, *q, *k, *v, *o;

  Lane(Carver& from, const AttentionSizes& s, const ScoreRules<T>& rules, size_t product_bytes,
       const View& q_, const View& k_, const View& v_) {
    product = from.of<char>(static_cast<int64_t>(product_bytes));
    p = from.of<T>(s.block_rows * s.keys);
    mask = from.of<T>(rules.mask_values());
    q = from.of<T>(copied<S>(q_, s.block_rows));
    k = from.of<T>(copied<S>(k_, s.keys));
    v = from.of<T>(copied<S>(v_, s.keys));
    o = from.of<T>(copied<S>(v_, s.block_rows));
  }
};

template <class S>
void run(const Cpu& on, const Attention& at, const View& q, const View& k, const View& v, const MutView& o,
         Compute<S>* lse) {
  using T = Compute<S>;
  const AttentionSizes s(q, k, v);
  const ScoreRules<T> rules(at, s);
  const PerBlock scores = per_block(s, [&](int64_t rows) {
    const GemmShape shape{rows, s.keys, s.head, row_stride<S>(q), 1, 1, row_stride<S>(k), s.keys};
    return attention_product<T>(on.provider, shape, 0);
  });
  const PerBlock values = per_block(s, [&](int64_t rows) {
    const GemmShape shape{rows, s.value_head, s.keys, s.keys, 1, row_stride<S>(v), 1, row_stride<S>(o)};
    return attention_product<T>(on.provider, shape, 0);
  });
  const size_t product_bytes = std::max(scores.scratch_bytes(), values.scratch_bytes());
  Carver count(nullptr);
  (void)Lane<S>(count, s, rules, product_bytes, q, k, v);
  parallel_lanes(on, s.items() * s.blocks, count.bytes(), "attention", [&](Pieces& todo, char* memory) {
    Carver carver(memory);
    const Lane<S> lane(carver, s, rules, product_bytes, q, k, v);
    PerBlockRunner to_scores(scores, lane.product), to_values(values, lane.product);
    const T *keys = nullptr, *key_values = nullptr;
    int64_t held = -1;
    for (int64_t piece; todo.next(piece);) {
      const int64_t item = piece / s.blocks, block = piece % s.blocks, row = block * s.block_rows;
      const int64_t rows = s.rows_of(block), key_item = s.key_item(item);
      if (key_item != held) {
        keys = rows_of_head(k, head_of<S>(k, s.key_heads, key_item), s.keys, lane.k);
        key_values = rows_of_head(v, head_of<S>(v, s.key_heads, key_item), s.keys, lane.v);
        held = key_item;
      }
      const S* from = head_of<S>(q, s.heads, item) + row * q.stride[2];
      to_scores.at(s, block)({rows_of_head(q, from, rows, lane.q), keys, lane.p});
      const T scale = rules.apply(item, row, rows, lane.p, lane.mask);
      attention_table<T>().softmax(rows, s.keys, scale, lane.p, lse + item * s.queries + row);
      if (rules.drops()) rules.drop(item, row, rows, lane.p, lane.p);
      S* to = head_of<S>(o, s.heads, item) + row * o.stride[2];
      if constexpr (kWidened<S>)
        to_values.at(s, block)({lane.p, key_values, lane.o});
      else
        to_values.at(s, block)({lane.p, key_values, to});
      store_rows<S>(o, lane.o, rows, to);
    }
  });
}

}  // namespace

void attention(Cpu on, const Attention& at, View q, View k, View v, MutView o, MutView lse) {
  check_attention(at, q, k, v, o, lse, "attention");
  if (lse.numel() == 0) return;
  if (k.size(2) == 0) {
    fill(on, o, 0);
    return fill(on, lse, -std::numeric_limits<double>::infinity());
  }
  switch (q.dtype) {
    case DType::f64:
      return run<double>(on, at, q, k, v, o, lse.as<double>());
    case DType::bf16:
      return run<bf16>(on, at, q, k, v, o, lse.as<float>());
    case DType::f16:
      return run<f16>(on, at, q, k, v, o, lse.as<float>());
    default:
      return run<float>(on, at, q, k, v, o, lse.as<float>());
  }
}

}  // namespace iskra::kernels
