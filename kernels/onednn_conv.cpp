// Convolutions of oneDNN.
#include <iskra/kernels/onednn.h>
#include <iskra/kernels/onednn_program.h>

#include <algorithm>

namespace iskra::kernels::onednn {
namespace {

struct ConvolutionDescs {
  Desc x, y, bias, weights, plain_weights;
  dnnl::memory::dims stride, dilation, before, after;

  explicit ConvolutionDescs(const ConvSpec& spec)
      : ConvolutionDescs(spec.shape, type_of(spec.direction == Direction::backward_data ? spec.out : spec.in),
                         type_of(spec.direction == Direction::forward ? spec.out : spec.in),
                         type_of(spec.direction == Direction::backward_weight ? spec.out : spec.in)) {}

 private:
  using Type = dnnl::memory::data_type;
  ConvolutionDescs(const ConvShape& c, Type x_type, Type y_type, Type w_type)
      : x({c.images, c.channels, c.height, c.width}, x_type, Tag::nhwc),
        y({c.images, c.filters, c.out_height, c.out_width}, y_type, Tag::nhwc),
        bias({c.filters}, Type::f32, Tag::x),
        stride{c.at.stride[0], c.at.stride[1]},
        dilation{c.at.dilation[0] - 1, c.at.dilation[1] - 1},
        before{c.at.padding[0], c.at.padding[1]},
        after{after_padding(c, 0), after_padding(c, 1)} {
    const int64_t g = c.at.groups;
    if (g == 1) {
      const dnnl::memory::dims sizes{c.filters, c.channels, c.filter_height, c.filter_width};
      weights = Desc(sizes, w_type, Tag::any);
      plain_weights = Desc(sizes, w_type, Tag::oihw);
    } else {
      const dnnl::memory::dims sizes{g, c.filters / g, c.channels / g, c.filter_height, c.filter_width};
      weights = Desc(sizes, w_type, Tag::any);
      plain_weights = Desc(sizes, w_type, Tag::goihw);
    }
  }

  /// oneDNN wants the padding at the end that the output size implies; it is less than `padding` (or
  /// negative) when the stride leaves pixels over.
  static int64_t after_padding(const ConvShape& c, int axis) {
    const int64_t size = axis == 0 ? c.height : c.width, out = axis == 0 ? c.out_height : c.out_width;
    const int64_t filter = axis == 0 ? c.filter_height : c.filter_width;
    const int64_t reach = (out - 1) * c.at.stride[axis] + (filter - 1) * c.at.dilation[axis] + 1;
    return reach - size - c.at.padding[axis];
  }
};

dnnl::convolution_forward::primitive_desc forward_desc(const ConvolutionDescs& d, const ConvSpec& spec) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto desc = spec.bias ? dnnl::convolution_forward::desc(kind, direct, d.x, d.weights, d.bias, d.y,
                                                                d.stride, d.dilation, d.before, d.after)
                              : dnnl::convolution_forward::desc(kind, direct, d.x, d.weights, d.y, d.stride,
                                                                d.dilation, d.before, d.after);
  auto attr = attributes();
  if (spec.relu) {
    dnnl::post_ops then;
    then.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
    attr.set_post_ops(then);
  }
  return {desc, attr, engine()};
}

/// The forward pass that a backward program goes with.
dnnl::convolution_forward::primitive_desc forward_hint(ConvSpec spec) {
  spec.direction = Direction::forward;
  spec.out = spec.in;
  spec.bias = spec.relu = false;
  return forward_desc(ConvolutionDescs(spec), spec);
}

std::shared_ptr<Program> make_forward(const ConvolutionDescs& d, const ConvSpec& spec) {
  const auto pd = forward_desc(d, spec);
  auto program = start(pd);
  program->primitive = dnnl::convolution_forward(pd);
  program->weights = pd.weights_desc();
  program->add(DNNL_ARG_SRC, d.x);
  program->add(DNNL_ARG_WEIGHTS, program->weights);
  if (spec.bias) program->add(DNNL_ARG_BIAS, d.bias);
  program->add(DNNL_ARG_DST, d.y);
  return program;
}

std::shared_ptr<Program> make_backward_data(const ConvolutionDescs& d, const ConvSpec& spec) {
  const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, d.x, d.weights, d.y,
                                                   d.stride, d.dilation, d.before, d.after);
  const dnnl::convolution_backward_data::primitive_desc pd(desc, attributes(), engine(), forward_hint(spec));
  auto program = start(pd);
  program->primitive = dnnl::convolution_backward_data(pd);
  program->weights = pd.weights_desc();
  program->add(DNNL_ARG_DIFF_DST, d.y);
  program->add(DNNL_ARG_WEIGHTS, program->weights);
  program->add(DNNL_ARG_DIFF_SRC, d.x);
  return program;
}

std::shared_ptr<Program> make_backward_weight(const ConvolutionDescs& d, const ConvSpec& spec) {
  const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct, d.x, d.weights,
                                                      d.y, d.stride, d.dilation, d.before, d.after);
  const dnnl::convolution_backward_weights::primitive_desc pd(desc, attributes(), engine(),
                                                              forward_hint(spec));
  auto program = start(pd);
  program->primitive = dnnl::convolution_backward_weights(pd);
  program->weights = pd.diff_weights_desc();
  program->add(DNNL_ARG_SRC, d.x);
  program->add(DNNL_ARG_DIFF_DST, d.y);
  program->add(DNNL_ARG_DIFF_WEIGHTS, program->weights);
  return program;
}

/// In parts of filters that threads can share, where both layouts can be cut there.
std::vector<ProgramPtr> make_reorders(const Desc& from, const Desc& to) {
  constexpr int64_t kFilters = 64;  // a multiple of every block that oneDNN makes
  const dnnl::memory::dims dims = to.dims();
  std::vector<ProgramPtr> parts;
  for (int64_t first = 0; dims[0] > kFilters && first < dims[0]; first += kFilters) {
    dnnl::memory::dims size = dims, place(dims.size(), 0);
    size[0] = std::min(kFilters, dims[0] - first);
    place[0] = first;
    const Desc from_part = from.submemory_desc(size, place, true),
               to_part = to.submemory_desc(size, place, true);
    if (from_part.is_zero() || to_part.is_zero()) return {make_reorder(from, to)};
    parts.push_back(make_reorder(from_part, to_part));
  }
  if (parts.empty()) parts.push_back(make_reorder(from, to));
  return parts;
}

ProgramPtr make_convolution(const ConvSpec& spec) {
  const ConvolutionDescs d(spec);
  std::shared_ptr<Program> program;
  switch (spec.direction) {
    case Direction::forward:
      program = make_forward(d, spec);
      break;
    case Direction::backward_data:
      program = make_backward_data(d, spec);
      break;
    case Direction::backward_weight:
      program = make_backward_weight(d, spec);
      break;
  }
  program->reorders = spec.direction == Direction::backward_weight
                          ? make_reorders(program->weights, d.plain_weights)
                          : make_reorders(d.plain_weights, program->weights);
  return program;
}

}  // namespace

size_t weight_bytes(const Program& convolution) { return (convolution.weights.get_size() + 63) / 64 * 64; }
bool same_weights(const Program& a, const Program& b) { return a.weights == b.weights; }
const std::vector<ProgramPtr>& weight_reorders(const Program& convolution) { return convolution.reorders; }

ProgramPtr convolution(const ConvSpec& spec) {
  if (!supports(spec.in)) return nullptr;
  const ConvShape& c = spec.shape;
  const Key key{1 + static_cast<int64_t>(spec.direction),
                c.images,
                c.channels,
                c.height,
                c.width,
                c.filters,
                c.filter_height,
                c.filter_width,
                c.out_height,
                c.out_width,
                c.at.stride[0],
                c.at.stride[1],
                c.at.padding[0],
                c.at.padding[1],
                c.at.dilation[0],
                c.at.dilation[1],
                c.at.groups,
                static_cast<int64_t>(spec.in),
                static_cast<int64_t>(spec.out),
                spec.bias,
                spec.relu};
  return held(key, [&] { return make_convolution(spec); });
}

}  // namespace iskra::kernels::onednn
