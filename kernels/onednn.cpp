#include <iskra/kernels/onednn.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include <dlfcn.h>
#include <omp.h>

#include <oneapi/dnnl/dnnl.hpp>

#include <iskra/kernels/check.h>
#include <iskra/kernels/isa.h>

namespace iskra::kernels::onednn {

namespace {

constexpr auto kFloat = dnnl::memory::data_type::f32;
constexpr int kMaxArguments = 4;
constexpr size_t kMaxPrograms = 4096;  // far above what a model needs; a guard against endlessly new shapes
using Tag = dnnl::memory::format_tag;
using Desc = dnnl::memory::desc;

// Never destroyed: threads may still compute while the process ends.
const dnnl::engine& engine() {
  static const auto& e = *[] {
    (void)isa();  // ISKRA_CPU caps oneDNN only before its first primitive
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return e;
}

// oneDNN 2.6 takes its thread number from its OpenMP runtime, both when it makes a program and when it runs
// one. That runtime is libgomp, and ours may be another (clang's libomp), so both are told, for this thread
// and moment.
class OneThread {
 public:
  OneThread() : ours_(omp_get_max_threads()), gomp_(theirs().get == nullptr ? 1 : theirs().get()) {
    set(1, 1);
  }
  ~OneThread() { set(ours_, gomp_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  struct Gomp {
    int (*get)() = nullptr;
    void (*set)(int) = nullptr;
  };
  static const Gomp& theirs() {
    static const Gomp gomp = [] {
      Gomp found;
      if (void* library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD)) {
        found.get = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_max_threads"));
        found.set = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
      }
      if (found.get == &omp_get_max_threads || found.get == nullptr || found.set == nullptr) found = {};
      return found;
    }();
    return gomp;
  }
  static void set(int ours, int gomp) {
    omp_set_num_threads(ours);
    if (theirs().set != nullptr) theirs().set(gomp);
  }
  int ours_, gomp_;
};

void check(dnnl_status_t status, const char* what) {
  ISKRA_CHECK(status == dnnl_success, "oneDNN: ", what, " failed with status ", static_cast<int>(status));
}

}  // namespace

class Program {
 public:
  dnnl::primitive primitive;
  std::string implementation;
  std::array<int, kMaxArguments> names{};  // DNNL_ARG_…, in the order of Runner's pointers
  std::array<Desc, kMaxArguments> layouts;
  int arguments = 0;
  Desc scratch;
  Desc weights;        // convolutions: the layout of oneDNN's choice …
  ProgramPtr reorder;  // … and the way between it and the plain one

  void add(int name, const Desc& layout) {
    names[static_cast<size_t>(arguments)] = name;
    layouts[static_cast<size_t>(arguments++)] = layout;
  }
};

namespace {

using Key = std::array<int64_t, 24>;

/// The program of this key, made by `make` when it is asked for the first time. A refusal is remembered too.
template <class F>
ProgramPtr held(const Key& key, F&& make) {
  static auto& mutex = *new std::mutex;
  static auto& programs = *new std::map<Key, ProgramPtr>;
  std::lock_guard lock(mutex);
  auto at = programs.find(key);
  if (at != programs.end()) return at->second;
  OneThread one_thread;
  ProgramPtr made;
  try {
    made = make();
  } catch (const dnnl::error& e) {
    const bool refused = e.status == dnnl_unimplemented || e.status == dnnl_invalid_arguments;
    ISKRA_CHECK(refused, "oneDNN: cannot make a program: ", e.what());
  }
  if (made && made->implementation.find("ref") != std::string::npos)
    made = nullptr;  // slower than ours by far
  if (programs.size() >= kMaxPrograms) programs.clear();
  programs[key] = made;
  return made;
}

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

template <class PrimitiveDesc>
std::shared_ptr<Program> start(const PrimitiveDesc& pd) {
  auto program = std::make_shared<Program>();
  program->implementation = pd.impl_info_str();
  program->scratch = pd.scratchpad_desc();
  return program;
}

/// Strides of an axis of length one mean nothing to us, but oneDNN reads them.
void settle(int64_t rows, int64_t cols, int64_t& row, int64_t& col) {
  if (cols == 1) {
    col = row == 1 ? rows : 1;
    if (rows == 1) row = 1;
  } else if (rows == 1) {
    row = col == 1 ? cols : 1;
  }
}

bool plain_matrix(int64_t rows, int64_t cols, int64_t row, int64_t col) {
  return (col == 1 && row >= cols) || (row == 1 && col >= rows);
}

ProgramPtr make_product(const GemmShape& s, bool bias, bool accumulate) {
  const Desc a({s.m, s.k}, kFloat, dnnl::memory::dims{s.a_row, s.a_col});
  const Desc b({s.k, s.n}, kFloat, dnnl::memory::dims{s.b_row, s.b_col});
  const Desc c({s.m, s.n}, kFloat, dnnl::memory::dims{s.c_row, 1});
  const Desc row({1, s.n}, kFloat, dnnl::memory::dims{s.n, 1});
  auto attr = attributes();
  if (accumulate) {
    dnnl::post_ops add;
    add.append_sum(1.0F);
    attr.set_post_ops(add);
  }
  const auto desc = bias ? dnnl::matmul::desc(a, b, row, c) : dnnl::matmul::desc(a, b, c);
  const dnnl::matmul::primitive_desc pd(desc, attr, engine());
  auto program = start(pd);
  program->primitive = dnnl::matmul(pd);
  program->add(DNNL_ARG_SRC, a);
  program->add(DNNL_ARG_WEIGHTS, b);
  if (bias) program->add(DNNL_ARG_BIAS, row);
  program->add(DNNL_ARG_DST, c);
  return program;
}

ProgramPtr make_reorder(const Desc& from, const Desc& to) {
  const dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, attributes());
  auto program = start(pd);
  program->primitive = dnnl::reorder(pd);
  program->add(DNNL_ARG_FROM, from);
  program->add(DNNL_ARG_TO, to);
  return program;
}

struct ConvolutionDescs {
  Desc x, y, bias, weights, plain_weights;
  dnnl::memory::dims stride, dilation, before, after;

  explicit ConvolutionDescs(const ConvShape& c)
      : x({c.images, c.channels, c.height, c.width}, kFloat, Tag::nhwc),
        y({c.images, c.filters, c.out_height, c.out_width}, kFloat, Tag::nhwc),
        bias({c.filters}, kFloat, Tag::x),
        stride{c.at.stride[0], c.at.stride[1]},
        dilation{c.at.dilation[0] - 1, c.at.dilation[1] - 1},
        before{c.at.padding[0], c.at.padding[1]},
        after{after_padding(c, 0), after_padding(c, 1)} {
    const int64_t g = c.at.groups;
    if (g == 1) {
      const dnnl::memory::dims sizes{c.filters, c.channels, c.filter_height, c.filter_width};
      weights = Desc(sizes, kFloat, Tag::any);
      plain_weights = Desc(sizes, kFloat, Tag::oihw);
    } else {
      const dnnl::memory::dims sizes{g, c.filters / g, c.channels / g, c.filter_height, c.filter_width};
      weights = Desc(sizes, kFloat, Tag::any);
      plain_weights = Desc(sizes, kFloat, Tag::goihw);
    }
  }

 private:
  /// oneDNN wants the padding at the end that the output size implies; it is less than `padding` (or
  /// negative) when the stride leaves pixels over.
  static int64_t after_padding(const ConvShape& c, int axis) {
    const int64_t size = axis == 0 ? c.height : c.width, out = axis == 0 ? c.out_height : c.out_width;
    const int64_t filter = axis == 0 ? c.filter_height : c.filter_width;
    const int64_t reach = (out - 1) * c.at.stride[axis] + (filter - 1) * c.at.dilation[axis] + 1;
    return reach - size - c.at.padding[axis];
  }
};

dnnl::convolution_forward::primitive_desc forward_desc(const ConvolutionDescs& d, bool bias) {
  const auto kind = dnnl::prop_kind::forward_training;
  const auto direct = dnnl::algorithm::convolution_direct;
  const auto desc = bias ? dnnl::convolution_forward::desc(kind, direct, d.x, d.weights, d.bias, d.y,
                                                           d.stride, d.dilation, d.before, d.after)
                         : dnnl::convolution_forward::desc(kind, direct, d.x, d.weights, d.y, d.stride,
                                                           d.dilation, d.before, d.after);
  return {desc, attributes(), engine()};
}

std::shared_ptr<Program> make_forward(const ConvolutionDescs& d, bool bias) {
  const auto pd = forward_desc(d, bias);
  auto program = start(pd);
  program->primitive = dnnl::convolution_forward(pd);
  program->weights = pd.weights_desc();
  program->add(DNNL_ARG_SRC, d.x);
  program->add(DNNL_ARG_WEIGHTS, program->weights);
  if (bias) program->add(DNNL_ARG_BIAS, d.bias);
  program->add(DNNL_ARG_DST, d.y);
  return program;
}

std::shared_ptr<Program> make_backward_data(const ConvolutionDescs& d) {
  const dnnl::convolution_backward_data::desc desc(dnnl::algorithm::convolution_direct, d.x, d.weights, d.y,
                                                   d.stride, d.dilation, d.before, d.after);
  const dnnl::convolution_backward_data::primitive_desc pd(desc, attributes(), engine(),
                                                           forward_desc(d, false));
  auto program = start(pd);
  program->primitive = dnnl::convolution_backward_data(pd);
  program->weights = pd.weights_desc();
  program->add(DNNL_ARG_DIFF_DST, d.y);
  program->add(DNNL_ARG_WEIGHTS, program->weights);
  program->add(DNNL_ARG_DIFF_SRC, d.x);
  return program;
}

std::shared_ptr<Program> make_backward_weight(const ConvolutionDescs& d) {
  const dnnl::convolution_backward_weights::desc desc(dnnl::algorithm::convolution_direct, d.x, d.weights,
                                                      d.y, d.stride, d.dilation, d.before, d.after);
  const dnnl::convolution_backward_weights::primitive_desc pd(desc, attributes(), engine(),
                                                              forward_desc(d, false));
  auto program = start(pd);
  program->primitive = dnnl::convolution_backward_weights(pd);
  program->weights = pd.diff_weights_desc();
  program->add(DNNL_ARG_SRC, d.x);
  program->add(DNNL_ARG_DIFF_DST, d.y);
  program->add(DNNL_ARG_DIFF_WEIGHTS, program->weights);
  return program;
}

ProgramPtr make_convolution(const ConvShape& c, Direction direction) {
  const ConvolutionDescs d(c);
  std::shared_ptr<Program> program;
  switch (direction) {
    case Direction::forward:
      program = make_forward(d, false);
      break;
    case Direction::forward_bias:
      program = make_forward(d, true);
      break;
    case Direction::backward_data:
      program = make_backward_data(d);
      break;
    case Direction::backward_weight:
      program = make_backward_weight(d);
      break;
  }
  program->reorder = direction == Direction::backward_weight
                         ? make_reorder(program->weights, d.plain_weights)
                         : make_reorder(d.plain_weights, program->weights);
  return program;
}

}  // namespace

size_t scratch_bytes(const Program& program) { return (program.scratch.get_size() + 63) / 64 * 64; }
const char* implementation(const Program& program) { return program.implementation.c_str(); }
int64_t weight_count(const Program& convolution) {
  return static_cast<int64_t>((convolution.weights.get_size() + sizeof(float) - 1) / sizeof(float));
}
bool same_weights(const Program& a, const Program& b) { return a.weights == b.weights; }
const Program& weight_reorder(const Program& convolution) { return *convolution.reorder; }

ProgramPtr product(const GemmShape& shape, bool bias, bool accumulate) {
  GemmShape s = shape;
  settle(s.m, s.k, s.a_row, s.a_col);
  settle(s.k, s.n, s.b_row, s.b_col);
  if (s.m == 1) s.c_row = s.n;
  if (!plain_matrix(s.m, s.k, s.a_row, s.a_col) || !plain_matrix(s.k, s.n, s.b_row, s.b_col) || s.c_row < s.n)
    return nullptr;
  const Key key{0, s.m, s.n, s.k, s.a_row, s.a_col, s.b_row, s.b_col, s.c_row, bias, accumulate};
  return held(key, [&] { return make_product(s, bias, accumulate); });
}

ProgramPtr convolution(const ConvShape& c, Direction direction) {
  const Key key{1 + static_cast<int64_t>(direction),
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
                c.at.groups};
  return held(key, [&] { return make_convolution(c, direction); });
}

struct Runner::State {
  dnnl::primitive primitive;
  dnnl::stream stream;
  std::array<dnnl::memory, kMaxArguments + 1> memory;
  std::array<dnnl_exec_arg_t, kMaxArguments + 1> arguments;
  int count;
};

Runner::Runner(const Program& program, void* scratch)
    : state_(new State{program.primitive, dnnl::stream(engine()), {}, {}, program.arguments}) {
  State& s = *state_;
  const auto bind = [&](size_t i, int name, const Desc& layout, void* data) {
    s.memory[i] = dnnl::memory(layout, engine(), data);
    s.arguments[i] = {name, s.memory[i].get()};
  };
  for (size_t i = 0; i < static_cast<size_t>(s.count); ++i)
    bind(i, program.names[i], program.layouts[i], DNNL_MEMORY_NONE);
  bind(static_cast<size_t>(s.count), DNNL_ARG_SCRATCHPAD, program.scratch, scratch);
}

Runner::~Runner() = default;

void Runner::operator()(std::initializer_list<const void*> arguments) {
  State& s = *state_;
  ISKRA_CHECK(static_cast<int>(arguments.size()) == s.count, "oneDNN: a program of ", s.count,
              " arguments got ", arguments.size());
  size_t i = 0;
  for (const void* data :
       arguments)  // the library reads its inputs through the same type as it writes its outputs
    check(dnnl_memory_set_data_handle(s.memory[i++].get(), const_cast<void*>(data)), "binding memory");
  OneThread one_thread;
  check(dnnl_primitive_execute(s.primitive.get(), s.stream.get(), s.count + 1, s.arguments.data()),
        "running");
}

}  // namespace iskra::kernels::onednn
