// Random tensors. The number of an element depends on its logical (row-major) index alone,
// whatever the memory layout: runs of memory carry the stride of their logical indices.

#include <iskra/kernels/kernels.h>
#include <iskra/kernels/parallel.h>
#include <iskra/kernels/philox.h>
#include <iskra/kernels/random.isa.h>
#include <iskra/kernels/random_numbers.h>
#include <iskra/kernels/row_kernels.h>
#include <iskra/kernels/strided.h>
#include <iskra/kernels/widen.h>

namespace iskra::kernels {
namespace {

const RandomTable& table() {
  static const RandomTable& chosen = by_isa(v2::random_table, v3::random_table, v4::random_table);
  return chosen;
}

// Calls body(run, offset in y's memory) for pieces that cover dense y.
template <class F>
void for_random_runs(const Cpu& on, const MutView& y, const RngKey& key, F body) {
  constexpr int64_t kGrain = 16384;
  const Shape logical = contiguous_strides(y.shape);
  StridedLoop loop(y.shape, {&logical, &y.stride});
  ISKRA_CHECK(loop.numel <= 1 || loop.inner_stride(1) == 1, "random numbers: a tensor of shape ", y.shape,
              " with strides ", y.stride, " is not dense; make it contiguous first");
  RandomRun base{};
  base.key = philox_key(key.seed, key.place);
  base.step = key.step != nullptr ? static_cast<uint64_t>(*key.step) : 0;
  base.index_stride = loop.numel <= 1 ? 1 : loop.inner_stride(0);
  parallel_for(on, loop.numel, kGrain, [&](int64_t begin, int64_t end) {
    loop.for_each_run(begin, end, [&](const StridedLoop::Run& at) {
      RandomRun run = base;
      run.n = at.inner;
      for (int64_t row = 0; row < at.outer; ++row) {
        run.index = key.first + at.offset[0] + row * loop.outer_stride(0);
        body(run, at.offset[1] + row * loop.outer_stride(1));
      }
    });
  });
}

}  // namespace

namespace {

// 16-bit numbers are drawn in f32, in blocks that stay in the cache: body(run of a block, block), then
// `narrow` rounds it.
template <class Body, class Narrow>
void draw_half(const Cpu& on, const MutView& y, const RngKey& key, Body body, Narrow narrow) {
  constexpr int64_t kBlock = 1024;
  for_random_runs(on, y, key, [&](const RandomRun& whole, int64_t offset) {
    float block[kBlock];
    for (int64_t begin = 0; begin < whole.n; begin += kBlock) {
      RandomRun run = whole;
      run.index += begin * whole.index_stride;
      run.n = std::min(kBlock, whole.n - begin);
      body(run, block);
      narrow(block, run.n, at(y, offset + begin));
    }
  });
}

template <class S>
void narrow_uniform(const float* u, int64_t n, float low, float high, S* y) {
  for (int64_t i = 0; i < n; ++i) {
    store(low + (high - low) * short_unit<S>(u[i]), y[i]);
    if (load(y[i]) >= high) store(low, y[i]);
  }
}

template <class F>
void with_half(DType dtype, F f) {
  if (dtype == DType::bf16)
    f(bf16{});
  else
    f(f16{});
}

bool is_half(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

}  // namespace

void random_uniform(Cpu on, MutView y, double low, double high, RngKey key) {
  if (is_half(y.dtype)) {
    return with_half(y.dtype, [&](auto half) {
      using S = decltype(half);
      draw_half(
          on, y, key, [&](const RandomRun& run, float* u) { table().uniform[0](run, 0, 1, u); },
          [&](const float* u, int64_t n, char* to) {
            narrow_uniform(u, n, static_cast<float>(low), static_cast<float>(high), reinterpret_cast<S*>(to));
          });
    });
  }
  auto body = table().uniform[real_type_index(y.dtype, "random_uniform")];
  for_random_runs(on, y, key,
                  [&](const RandomRun& run, int64_t offset) { body(run, low, high, at(y, offset)); });
}

void random_normal(Cpu on, MutView y, double mean, double std, double cut, RngKey key) {
  if (is_half(y.dtype)) {
    return with_half(y.dtype, [&](auto half) {
      using S = decltype(half);
      draw_half(
          on, y, key, [&](const RandomRun& run, float* z) { table().normal[0](run, mean, std, cut, z); },
          [](const float* z, int64_t n, char* to) { narrow(z, n, reinterpret_cast<S*>(to)); });
    });
  }
  auto body = table().normal[real_type_index(y.dtype, "random_normal")];
  for_random_runs(on, y, key,
                  [&](const RandomRun& run, int64_t offset) { body(run, mean, std, cut, at(y, offset)); });
}

void random_bernoulli(Cpu on, View p, RngKey key, MutView y) {
  constexpr int64_t kBlock = 1024;
  for_random_runs(on, y, key, [&](const RandomRun& whole, int64_t offset) {
    float block[kBlock];
    for (int64_t begin = 0; begin < whole.n; begin += kBlock) {
      RandomRun run = whole;
      run.index += begin * whole.index_stride;
      run.n = std::min(kBlock, whole.n - begin);
      table().uniform[0](run, 0, 1, block);
      const float* chance = p.as<float>() + offset + begin;
      for (int64_t i = 0; i < run.n; ++i) block[i] = block[i] < chance[i] ? 1.0F : 0.0F;
      const Shape shape{run.n};
      copy(Cpu{}, View{block, DType::f32, shape, {1}}, MutView{at(y, offset + begin), y.dtype, shape, {1}});
    }
  });
}

}  // namespace iskra::kernels
