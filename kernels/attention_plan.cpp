#include <iskra/kernels/attention_plan.h>

#include <cmath>

#include <iskra/kernels/dropout.isa.h>
#include <iskra/kernels/philox.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels {

AttentionSizes::AttentionSizes(const View& q, const View& k, const View& v)
    : pictures(q.size(0)),
      heads(q.size(1)),
      key_heads(k.size(1)),
      queries(q.size(2)),
      keys(k.size(2)),
      head(q.size(3)),
      value_head(v.size(3)) {
  constexpr int64_t kMaxScores = 131072, kMinRows = 32, kMaxRows = 128;
  const int64_t most = std::clamp(kMaxScores / std::max<int64_t>(keys, 1), kMinRows, kMaxRows);
  blocks = (queries + most - 1) / most;
  block_rows = blocks == 0 ? 0 : (queries + blocks - 1) / blocks;
  if (block_rows > 0) blocks = (queries + block_rows - 1) / block_rows;
}

template <class T>
const AttentionTable<T>& attention_table() {
  const AttentionTables& tables = by_isa(v2::attention_tables, v3::attention_tables, v4::attention_tables);
  if constexpr (std::is_same_v<T, float>)
    return tables.f32;
  else
    return tables.f64;
}

template <class T>
ScoreRules<T>::ScoreRules(const Attention& at, const AttentionSizes& s) : at_(at), s_(s) {}

template <class T>
int64_t ScoreRules<T>::mask_values() const {
  const bool in_place = !at_.mask.defined() || (at_.mask.dtype == dtype_of<T> && at_.mask.stride[3] == 1);
  return in_place ? 0 : s_.block_rows * s_.keys;
}

namespace {

template <class M, class T>
void copy_mask(const M* from, int64_t rows, int64_t keys, int64_t row, int64_t col, T* to) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < keys; ++j) {
      const M value = from[i * row + j * col];
      if constexpr (std::is_same_v<M, bool>)
        to[i * keys + j] = value ? T(0) : -std::numeric_limits<T>::infinity();
      else
        to[i * keys + j] = static_cast<T>(load(value));
    }
}

}  // namespace

template <class T>
const T* ScoreRules<T>::mask_rows(int64_t item, int64_t first, int64_t rows, T* memory, int64_t& row) const {
  const View& m = at_.mask;
  const int64_t offset = item / s_.heads * m.stride[0] + item % s_.heads * m.stride[1] + first * m.stride[2];
  if (mask_values() == 0) {
    row = m.stride[2];
    return m.as<T>() + offset;
  }
  row = s_.keys;
  const auto copy = [&](const auto* data) {
    copy_mask(data + offset, rows, s_.keys, m.stride[2], m.stride[3], memory);
  };
  switch (m.dtype) {
    case DType::boolean:
      copy(m.as<bool>());
      break;
    case DType::bf16:
      copy(m.as<bf16>());
      break;
    case DType::f16:
      copy(m.as<f16>());
      break;
    case DType::f64:
      copy(m.as<double>());
      break;
    default:
      copy(m.as<float>());
  }
  return memory;
}

template <class T>
T ScoreRules<T>::apply(int64_t item, int64_t first, int64_t rows, T* scores, T* mask_memory) const {
  if (!at_.mask.defined() && !at_.causal) return scale();
  int64_t row = 0;
  const T* mask = at_.mask.defined() ? mask_rows(item, first, rows, mask_memory, row) : nullptr;
  attention_table<T>().mask(rows, s_.keys, scale(), mask, row, at_.causal ? first + 1 : -1, scores);
  return T(1);
}

template <class T>
void ScoreRules<T>::drop(int64_t item, int64_t first, int64_t rows, const T* from, T* to) const {
  const DropoutTable& table = by_isa(v2::dropout_table, v3::dropout_table, v4::dropout_table);
  const auto p = static_cast<double>(at_.dropout);
  DropoutTile run;
  run.key = philox_key(at_.key.seed, at_.key.place);
  run.step = at_.key.step != nullptr ? static_cast<uint64_t>(*at_.key.step) : 0;
  run.index = at_.key.first + (item * s_.queries + first) * s_.keys;
  run.cols = rows * s_.keys;
  run.threshold = static_cast<uint32_t>(std::ceil(p * 0x1p24));
  run.scale = 1.0 / (1.0 - p);
  table.run[std::is_same_v<T, double>](run, from, to);
}

template const AttentionTable<float>& attention_table();
template const AttentionTable<double>& attention_table();
template class ScoreRules<float>;
template class ScoreRules<double>;

}  // namespace iskra::kernels
