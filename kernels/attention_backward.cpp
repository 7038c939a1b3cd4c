// The gradients of attention. The probabilities are computed again from lse, the dropped elements drawn
// again:
//   P = exp(scale * q k^T + mask - lse)   dv = drop(P)^T do
//   dP = drop(do v^T)                     dS = scale * P * (dP - D) with D = rowsum(do * o) = rowsum(P * dP)
//   dq = dS k                             dk = dS^T q
// Heads of queries that share keys are summed in order by one thread.
#include <iskra/kernels/attention_check.h>
#include <iskra/kernels/attention_plan.h>

namespace iskra::kernels {
namespace {

struct Views {
  View q, k, v, o, d_o;
  MutView dq, dk, dv;
};

/// The products of one item's backward pass. The gradients of keys and values grow from block to block.
template <class S>
struct Products {
  using T = Compute<S>;
  PerBlock scores, d_probabilities, dq, dk_first, dv_first, dk_add, dv_add;

  Products(Provider provider, const AttentionSizes& s, const Views& x)
      : scores(by_keys(provider, s, x.q, x.k, s.head)),
        d_probabilities(by_keys(provider, s, x.d_o, x.v, s.value_head)),
        dq(per_block(s,
                     [&](int64_t rows) {
                       const GemmShape shape{
                           rows, s.head, s.keys, s.keys, 1, row_stride<S>(x.k), 1, row_stride<S>(x.dq)};
                       return attention_product<T>(provider, shape, 0);
                     })),
        dk_first(over_queries(provider, s, x.q, x.dk, s.head, 0)),
        dv_first(over_queries(provider, s, x.d_o, x.dv, s.value_head, 0)),
        dk_add(over_queries(provider, s, x.q, x.dk, s.head, 1)),
        dv_add(over_queries(provider, s, x.d_o, x.dv, s.value_head, 1)) {}

  size_t scratch_bytes() const {
    size_t most = 0;
    for (const auto* p : {&scores, &d_probabilities, &dq, &dk_first, &dv_first, &dk_add, &dv_add})
      most = std::max(most, p->scratch_bytes());
    return most;
  }

 private:
  /// (rows, keys) = a (rows, width) b (keys, width)^T
  static PerBlock by_keys(Provider provider, const AttentionSizes& s, const View& a, const View& b,
                          int64_t width) {
    return per_block(s, [&](int64_t rows) {
      const GemmShape shape{rows, s.keys, width, row_stride<S>(a), 1, 1, row_stride<S>(b), s.keys};
      return attention_product<T>(provider, shape, 0);
    });
  }
  /// c (keys, width) (+)= a (rows, keys)^T b (rows, width)
  static PerBlock over_queries(Provider provider, const AttentionSizes& s, const View& b, const View& c,
                               int64_t width, float beta) {
    return per_block(s, [&](int64_t rows) {
      const GemmShape shape{s.keys, width, rows, 1, s.keys, row_stride<S>(b), 1, row_stride<S>(c)};
      return attention_product<T>(provider, shape, beta);
    });
  }
};

/// A lane: memory, runners, and the pass over one head of keys.
template <class S>
class Lane {
 public:
  using T = Compute<S>;
  Lane(Carver& from, const AttentionSizes& s, const ScoreRules<T>& rules, const Products<S>& products,
       const Views& x)
      : s_(s), rules_(rules), x_(x) {
    product_ = from.of<char>(static_cast<int64_t>(products.scratch_bytes()));
    p_ = from.of<T>(s.block_rows * s.keys);
    dp_ = from.of<T>(s.block_rows * s.keys);
    dropped_ = from.of<T>(rules.drops() ? s.block_rows * s.keys : 0);
    mask_ = from.of<T>(rules.mask_values());
    delta_ = from.of<T>(s.block_rows);
    q_ = from.of<T>(copied<S>(x.q, s.block_rows));
    dq_ = from.of<T>(copied<S>(x.q, s.block_rows));
    d_o_ = from.of<T>(copied<S>(x.o, s.block_rows));
    k_ = from.of<T>(copied<S>(x.k, s.keys));
    dk_ = from.of<T>(copied<S>(x.k, s.keys));
    v_ = from.of<T>(copied<S>(x.v, s.keys));
    dv_ = from.of<T>(copied<S>(x.v, s.keys));
  }

  void run(const Products<S>& products, Pieces& todo, const T* lse) {
    Runners use(products, product_);
    for (int64_t key_item; todo.next(key_item);) {
      const T* k = rows_of_head(x_.k, head_of<S>(x_.k, s_.key_heads, key_item), s_.keys, k_);
      const T* v = rows_of_head(x_.v, head_of<S>(x_.v, s_.key_heads, key_item), s_.keys, v_);
      S *to_dk = head_of<S>(x_.dk, s_.key_heads, key_item),
        *to_dv = head_of<S>(x_.dv, s_.key_heads, key_item);
      const Keys keys{k, v, sums(dk_, to_dk), sums(dv_, to_dv)};
      const int64_t first = key_item / s_.key_heads * s_.heads + key_item % s_.key_heads * s_.group();
      for (int64_t item = first; item < first + s_.group(); ++item)
        for (int64_t block = 0; block < s_.blocks; ++block)
          this->block(use, item, block, item == first && block == 0, keys, lse);
      store_rows<S>(x_.dk, dk_, s_.keys, to_dk);
      store_rows<S>(x_.dv, dv_, s_.keys, to_dv);
    }
  }

 private:
  struct Runners {
    PerBlockRunner scores, d_probabilities, dq, dk_first, dv_first, dk_add, dv_add;
    Runners(const Products<S>& p, void* scratch)
        : scores(p.scores, scratch),
          d_probabilities(p.d_probabilities, scratch),
          dq(p.dq, scratch),
          dk_first(p.dk_first, scratch),
          dv_first(p.dv_first, scratch),
          dk_add(p.dk_add, scratch),
          dv_add(p.dv_add, scratch) {}
  };
  struct Keys {
    const T *k, *v;
    T *dk, *dv;
  };

  /// Where sums go: where they belong, or (16-bit types) the copy that is rounded in the end.
  static T* sums([[maybe_unused]] T* copy, [[maybe_unused]] S* to) {
    if constexpr (kWidened<S>)
      return copy;
    else
      return to;
  }

  void block(Runners& use, int64_t item, int64_t block, bool first, const Keys& keys, const T* lse) {
    const int64_t row = block * s_.block_rows, rows = s_.rows_of(block);
    const auto rows_from = [&](const View& x, T* copy) {
      return rows_of_head(x, head_of<S>(x, s_.heads, item) + row * x.stride[2], rows, copy);
    };
    const T *q = rows_from(x_.q, q_), *d_o = rows_from(x_.d_o, d_o_);
    const auto& table = attention_table<T>();
    use.scores.at(s_, block)({q, keys.k, p_});
    const T scale = rules_.apply(item, row, rows, p_, mask_);
    table.probabilities(rows, s_.keys, scale, lse + item * s_.queries + row, p_);
    const T* kept = p_;
    if (rules_.drops()) {
      rules_.drop(item, row, rows, p_, dropped_);
      kept = dropped_;
    }
    (first ? use.dv_first : use.dv_add).at(s_, block)({kept, d_o, keys.dv});
    use.d_probabilities.at(s_, block)({d_o, keys.v, dp_});
    if (rules_.drops()) rules_.drop(item, row, rows, dp_, dp_);
    if constexpr (kWidened<S>)  // the sums, not the o that was rounded to 16 bits
      table.row_dots(rows, s_.keys, p_, s_.keys, dp_, s_.keys, delta_);
    else
      table.row_dots(rows, s_.value_head, d_o, x_.d_o.stride[2],
                     head_of<S>(x_.o, s_.heads, item) + row * x_.o.stride[2], x_.o.stride[2], delta_);
    table.score_gradient(rows, s_.keys, rules_.scale(), p_, delta_, dp_);
    S* to_dq = head_of<S>(x_.dq, s_.heads, item) + row * x_.dq.stride[2];
    use.dq.at(s_, block)({dp_, keys.k, sums(dq_, to_dq)});
    store_rows<S>(x_.dq, dq_, rows, to_dq);
    (first ? use.dk_first : use.dk_add).at(s_, block)({dp_, q, keys.dk});
  }

  const AttentionSizes& s_;
  const ScoreRules<T>& rules_;
  const Views& x_;
  char* product_;
  T *p_, *dp_, *dropped_, *mask_, *delta_, *q_, *dq_, *d_o_, *k_, *dk_, *v_, *dv_;
};

template <class S>
void run(const Cpu& on, const Attention& at, const Views& x, const Compute<S>* lse) {
  const AttentionSizes s(x.q, x.k, x.v);
  const ScoreRules<Compute<S>> rules(at, s);
  const Products<S> products(on.provider, s, x);
  Carver count(nullptr);
  (void)Lane<S>(count, s, rules, products, x);
  parallel_lanes(on, s.pictures * s.key_heads, count.bytes(), "attention_backward",
                 [&](Pieces& todo, char* memory) {
                   Carver carver(memory);
                   Lane<S>(carver, s, rules, products, x).run(products, todo, lse);
                 });
}

}  // namespace

void attention_backward(Cpu on, const Attention& at, View q, View k, View v, View o, View lse, View do_,
                        MutView dq, MutView dk, MutView dv) {
  check_attention_backward(at, q, k, v, o, lse, do_, dq, dk, dv);
  if (lse.numel() == 0 || k.size(2) == 0) return fill(on, dq, 0), fill(on, dk, 0), fill(on, dv, 0);
  const Views x{q, k, v, o, do_, dq, dk, dv};
  switch (q.dtype) {
    case DType::f64:
      return run<double>(on, at, x, lse.as<double>());
    case DType::bf16:
      return run<bf16>(on, at, x, lse.as<float>());
    case DType::f16:
      return run<f16>(on, at, x, lse.as<float>());
    default:
      return run<float>(on, at, x, lse.as<float>());
  }
}

}  // namespace iskra::kernels
