#include <iskra/kernels/onednn.h>

#include <algorithm>

#include <dlfcn.h>
#include <omp.h>

#include <iskra/kernels/flush.h>
#include <iskra/kernels/isa.h>
#include <iskra/kernels/onednn_program.h>

namespace iskra::kernels::onednn {

// Never destroyed: threads may still compute while the process ends.
const dnnl::engine& engine() {
  static const auto& e = *[] {
    (void)isa();  // ISKRA_CPU caps oneDNN only before its first primitive
    return new dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return e;
}

dnnl::memory::data_type type_of(DType type) {
  return type == DType::bf16 ? dnnl::memory::data_type::bf16 : dnnl::memory::data_type::f32;
}

bool supports(DType type) { return type == DType::f32 || (type == DType::bf16 && isa() == Isa::v4); }

namespace {

struct Gomp {
  int (*get)() = nullptr;
  void (*set)(int) = nullptr;
};

const Gomp& gomp() {
  static const Gomp found_once = [] {
    Gomp found;
    if (void* library = dlopen("libgomp.so.1", RTLD_LAZY | RTLD_NOLOAD)) {
      found.get = reinterpret_cast<int (*)()>(dlsym(library, "omp_get_max_threads"));
      found.set = reinterpret_cast<void (*)(int)>(dlsym(library, "omp_set_num_threads"));
    }
    if (found.get == &omp_get_max_threads || found.get == nullptr || found.set == nullptr) found = {};
    return found;
  }();
  return found_once;
}

void set_threads(int ours, int theirs) {
  omp_set_num_threads(ours);
  if (gomp().set != nullptr) gomp().set(theirs);
}

void check(dnnl_status_t status, const char* what) {
  ISKRA_CHECK(status == dnnl_success, "oneDNN: ", what, " failed with status ", static_cast<int>(status));
}

}  // namespace

OneThread::OneThread() : ours_(omp_get_max_threads()), gomp_(gomp().get == nullptr ? 1 : gomp().get()) {
  set_threads(1, 1);
}
OneThread::~OneThread() { set_threads(ours_, gomp_); }

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

ProgramPtr make_reorder(const Desc& from, const Desc& to) {
  const dnnl::reorder::primitive_desc pd(engine(), from, engine(), to, attributes());
  auto program = start(pd);
  program->primitive = dnnl::reorder(pd);
  program->add(DNNL_ARG_FROM, from);
  program->add(DNNL_ARG_TO, to);
  return program;
}

namespace {

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

ProgramPtr make_product(const ProductSpec& spec, const GemmShape& s) {
  const auto in = type_of(spec.in);
  const Desc a({s.m, s.k}, in, dnnl::memory::dims{s.a_row, s.a_col});
  const Desc b({s.k, s.n}, in, dnnl::memory::dims{s.b_row, s.b_col});
  const Desc c({s.m, s.n}, type_of(spec.out), dnnl::memory::dims{s.c_row, 1});
  const Desc row({1, s.n}, type_of(DType::f32), dnnl::memory::dims{s.n, 1});
  auto attr = attributes();
  dnnl::post_ops then;
  if (spec.beta != 0) then.append_sum(1.0F);
  if (spec.activation == Activation::relu)
    then.append_eltwise(1.0F, dnnl::algorithm::eltwise_relu, 0.0F, 0.0F);
  attr.set_post_ops(then);
  const auto desc = spec.bias ? dnnl::matmul::desc(a, b, row, c) : dnnl::matmul::desc(a, b, c);
  const dnnl::matmul::primitive_desc pd(desc, attr, engine());
  auto program = start(pd);
  program->primitive = dnnl::matmul(pd);
  program->add(DNNL_ARG_SRC, a);
  program->add(DNNL_ARG_WEIGHTS, b);
  if (spec.bias) program->add(DNNL_ARG_BIAS, row);
  program->add(DNNL_ARG_DST, c);
  return program;
}

}  // namespace

size_t scratch_bytes(const Program& program) { return (program.scratch.get_size() + 63) / 64 * 64; }
const char* implementation(const Program& program) { return program.implementation.c_str(); }

ProgramPtr product(const ProductSpec& spec) {
  if (!supports(spec.in)) return nullptr;
  GemmShape s = spec.shape;
  settle(s.m, s.k, s.a_row, s.a_col);
  settle(s.k, s.n, s.b_row, s.b_col);
  // One row keeps the stride that several would have: oneDNN's bits depend on whether c has gaps.
  if (s.m == 1) s.c_row = std::max(s.c_row, s.n);
  if (!plain_matrix(s.m, s.k, s.a_row, s.a_col) || !plain_matrix(s.k, s.n, s.b_row, s.b_col) || s.c_row < s.n)
    return nullptr;
  const Key key{0,
                s.m,
                s.n,
                s.k,
                s.a_row,
                s.a_col,
                s.b_row,
                s.b_col,
                s.c_row,
                spec.bias,
                spec.beta != 0,
                static_cast<int64_t>(spec.in),
                static_cast<int64_t>(spec.out),
                static_cast<int64_t>(spec.activation)};
  return held(key, [&] { return make_product(spec, s); });
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
  FlushSubnormals flush;
  check(dnnl_primitive_execute(s.primitive.get(), s.stream.get(), s.count + 1, s.arguments.data()),
        "running");
}

}  // namespace iskra::kernels::onednn
