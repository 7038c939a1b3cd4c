#include "onednn_direct.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include <oneapi/dnnl/dnnl.hpp>

namespace iskra::bench {

namespace {

using testing::Json;
using Dims = dnnl::memory::dims;
using Desc = dnnl::memory::desc;
using Tag = dnnl::memory::format_tag;
using Type = dnnl::memory::data_type;
using Arguments = std::unordered_map<int, dnnl::memory>;

const dnnl::engine& engine() {
  static const dnnl::engine e(dnnl::engine::kind::cpu, 0);
  return e;
}

std::optional<Type> type_of(DType dtype) {
  if (dtype == DType::f32) return Type::f32;
  if (dtype == DType::bf16) return Type::bf16;
  return {};
}

/// Primitives to run one after the other.
class Chain {
 public:
  void add(const dnnl::primitive& primitive, Arguments arguments) {
    calls_.emplace_back(primitive, std::move(arguments));
  }
  /// The same memory in another layout: itself, or a reorder first.
  dnnl::memory as(const dnnl::memory& from, const Desc& layout) {
    if (from.get_desc() == layout) return from;
    dnnl::memory to(layout, engine());
    add(dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}});
    return to;
  }
  /// Memory that lives as long as the chain.
  dnnl::memory zeros(const Desc& layout) {
    dnnl::memory memory(layout, engine());
    auto* bytes = static_cast<char*>(memory.get_data_handle());
    std::fill(bytes, bytes + layout.get_size(), 0);
    return owned_.emplace_back(memory);
  }
  void run() {
    for (auto& [primitive, arguments] : calls_) primitive.execute(stream_, arguments);
    stream_.wait();
  }

 private:
  std::vector<std::pair<dnnl::primitive, Arguments>> calls_;
  std::vector<dnnl::memory> owned_;
  dnnl::stream stream_{engine()};
};

using ChainPtr = std::shared_ptr<Chain>;

/// (…, rows, cols), or stored the other way round.
Desc matrix(Dims batch, int64_t rows, int64_t cols, bool transposed, Type type) {
  Dims sizes = batch, strides(batch.size());
  int64_t stride = rows * cols;
  for (size_t i = batch.size(); i-- > 0; stride *= batch[i]) strides[i] = stride;
  sizes.insert(sizes.end(), {rows, cols});
  strides.insert(strides.end(), {transposed ? 1 : cols, transposed ? rows : 1});
  return {sizes, type, strides};
}

/// The same matrix seen from its other side.
Desc flipped(const Desc& d) {
  std::vector<int> axes(d.dims().size());
  for (size_t i = 0; i < axes.size(); ++i) axes[i] = static_cast<int>(i);
  std::swap(axes[axes.size() - 1], axes[axes.size() - 2]);
  return d.permute_axes(axes);
}

void add_product(Chain& chain, const dnnl::memory& a, const dnnl::memory& b, const dnnl::memory& c,
                 const dnnl::memory& bias = {}) {
  Arguments arguments{{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, c}};
  auto desc = bias ? dnnl::matmul::desc(a.get_desc(), b.get_desc(), bias.get_desc(), c.get_desc())
                   : dnnl::matmul::desc(a.get_desc(), b.get_desc(), c.get_desc());
  if (bias) arguments[DNNL_ARG_BIAS] = bias;
  chain.add(dnnl::matmul({desc, engine()}), arguments);
}

bool row_major(const dnnl::memory& m) {
  const Desc layout = m.get_desc();
  return layout.data.format_desc.blocking.strides[layout.data.ndims - 1] == 1;
}

dnnl::memory flipped(const dnnl::memory& m) { return {flipped(m.get_desc()), engine(), m.get_data_handle()}; }

/// c = a b, written row by row: of a transposed c as c' = b' a'.
void add_product_into(Chain& chain, const dnnl::memory& a, const dnnl::memory& b, const dnnl::memory& c) {
  if (row_major(c)) return add_product(chain, a, b, c);
  add_product(chain, flipped(b), flipped(a), flipped(c));
}

/// y = a b [+ bias]; then da = dy b', db = a' dy.
ChainPtr product(const Desc& a, const Desc& b, const Desc& y, bool bias, bool step) {
  auto chain = std::make_shared<Chain>();
  dnnl::memory a_data = chain->zeros(a), b_data = chain->zeros(b), y_data = chain->zeros(y), bias_data;
  if (bias) bias_data = chain->zeros(Desc(Dims{1, y.dims()[1]}, y.data_type(), Dims{y.dims()[1], 1}));
  add_product(*chain, a_data, b_data, y_data, bias_data);
  if (!step) return chain;
  dnnl::memory dy = chain->zeros(y);
  add_product_into(*chain, dy, flipped(b_data), chain->zeros(a));
  add_product_into(*chain, flipped(a_data), dy, chain->zeros(b));
  return chain;
}

ChainPtr matmul_chain(const testing::OpCase& row, Type type, bool step) {
  const Shape &a = row.inputs[0].shape, &b = row.inputs[1].shape;
  if (a.rank() != b.rank()) return nullptr;
  bool flip_a = row.attributes.value("transpose_a", false),
       flip_b = row.attributes.value("transpose_b", false);
  Dims batch(a.begin(), a.end() - 2);
  if (batch != Dims(b.begin(), b.end() - 2)) return nullptr;
  const int rank = a.rank();
  int64_t m = a[rank - (flip_a ? 1 : 2)], k = a[rank - (flip_a ? 2 : 1)], n = b[rank - (flip_b ? 2 : 1)];
  return product(matrix(batch, m, k, flip_a, type), matrix(batch, k, n, flip_b, type),
                 matrix(batch, m, n, false, type), false, step);
}

ChainPtr linear_chain(const testing::OpCase& row, Type type, bool step) {
  const Shape& weight = row.inputs[1].shape;
  int64_t rows = row.inputs[0].shape.numel() / weight[1];
  return product(matrix({}, rows, weight[1], false, type), matrix({}, weight[1], weight[0], true, type),
                 matrix({}, rows, weight[0], false, type), row.inputs.size() > 2, step);
}

/// What the three primitives of a convolution share.
struct Convolution {
  Desc x, weights, plain_weights, bias, y;
  Dims stride, dilation, before, after;
};

Dims pair_of(const Json& at, const char* name, int64_t otherwise) {
  if (!at.contains(name)) return {otherwise, otherwise};
  return {at[name][0].get<int64_t>(), at[name][1].get<int64_t>()};
}

Convolution convolution_of(const testing::OpCase& row, Type type) {
  const Shape &x = row.inputs[0].shape, &w = row.inputs[1].shape;
  Convolution c;
  c.stride = pair_of(row.attributes, "stride", 1);
  c.before = c.after = pair_of(row.attributes, "padding", 0);
  c.dilation = pair_of(row.attributes, "dilation", 1);
  Dims y{x[0], w[0]};
  for (int i : {0, 1}) {
    auto j = static_cast<size_t>(i);
    c.dilation[j] -= 1;
    y.push_back((x[2 + i] + 2 * c.before[j] - (c.dilation[j] + 1) * (w[2 + i] - 1) - 1) / c.stride[j] + 1);
  }
  Dims sizes(w.begin(), w.end());
  c.x = Desc({x[0], x[1], x[2], x[3]}, type, Tag::nhwc);
  c.weights = Desc(sizes, type, Tag::any);
  c.plain_weights = Desc(sizes, type, Tag::oihw);
  c.bias = Desc({w[0]}, type, Tag::x);
  c.y = Desc(y, type, Tag::nhwc);
  return c;
}

ChainPtr conv2d_chain(const testing::OpCase& row, Type type, bool step) {
  if (row.attributes.value("groups", 1) != 1 || row.inputs.size() != 3) return nullptr;
  const Convolution c = convolution_of(row, type);
  constexpr auto kDirect = dnnl::algorithm::convolution_auto;
  auto chain = std::make_shared<Chain>();
  const dnnl::convolution_forward::primitive_desc forward(
      {step ? dnnl::prop_kind::forward_training : dnnl::prop_kind::forward_inference, kDirect, c.x, c.weights,
       c.bias, c.y, c.stride, c.dilation, c.before, c.after},
      engine());
  dnnl::memory x = chain->zeros(c.x), w = chain->zeros(c.plain_weights), bias = chain->zeros(c.bias),
               y = chain->zeros(c.y);
  dnnl::memory inner = chain->as(w, forward.weights_desc());
  chain->add(dnnl::convolution_forward(forward),
             {{DNNL_ARG_SRC, x}, {DNNL_ARG_WEIGHTS, inner}, {DNNL_ARG_BIAS, bias}, {DNNL_ARG_DST, y}});
  if (!step) return chain;
  const dnnl::convolution_backward_data::primitive_desc data(
      {kDirect, c.x, c.weights, c.y, c.stride, c.dilation, c.before, c.after}, engine(), forward);
  const dnnl::convolution_backward_weights::primitive_desc weights(
      {kDirect, c.x, c.weights, c.bias, c.y, c.stride, c.dilation, c.before, c.after}, engine(), forward);
  dnnl::memory dy = chain->zeros(c.y), dx = chain->zeros(c.x), dbias = chain->zeros(c.bias);
  chain->add(dnnl::convolution_backward_data(data), {{DNNL_ARG_DIFF_DST, dy},
                                                     {DNNL_ARG_WEIGHTS, chain->as(w, data.weights_desc())},
                                                     {DNNL_ARG_DIFF_SRC, dx}});
  dnnl::memory dw = chain->zeros(weights.diff_weights_desc());
  chain->add(
      dnnl::convolution_backward_weights(weights),
      {{DNNL_ARG_SRC, x}, {DNNL_ARG_DIFF_DST, dy}, {DNNL_ARG_DIFF_WEIGHTS, dw}, {DNNL_ARG_DIFF_BIAS, dbias}});
  chain->as(dw, c.plain_weights);
  return chain;
}

std::function<void()> running(const ChainPtr& chain) {
  if (!chain) return {};
  chain->run();
  return [chain] { chain->run(); };
}

}  // namespace

std::function<void()> onednn_direct(const testing::OpCase& row, DType dtype, bool step) {
  const std::optional<Type> type = type_of(dtype);
  if (!type) return {};
  try {
    if (row.op->name == "matmul") return running(matmul_chain(row, *type, step));
    if (row.op->name == "linear") return running(linear_chain(row, *type, step));
    if (row.op->name == "conv2d") return running(conv2d_chain(row, *type, step));
  } catch (const dnnl::error& e) {
    if (e.status != dnnl_unimplemented && e.status != dnnl_invalid_arguments) throw;
  }
  return {};
}

std::function<void()> onednn_square_product(int64_t n, DType dtype) {
  const std::optional<Type> type = type_of(dtype);
  if (!type) return {};
  const Desc square = matrix({}, n, n, false, *type);
  return running(product(square, square, square, false, false));
}

}  // namespace iskra::bench
