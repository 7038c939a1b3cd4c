#include <iskra/core/random.h>

#include <iskra/core/launch.h>
#include <iskra/core/tensor_impl.h>

namespace iskra {
namespace {

struct Ambient {
  RngScope* scope = nullptr;
  uint64_t place = 0;
  std::unordered_map<uint64_t, uint64_t> calls;  // outside of any scope
};

Ambient& ambient() {
  thread_local Ambient state;
  return state;
}

// SplitMix64's finaliser (Steele, Lea & Flood 2014).
uint64_t mix(uint64_t x) {
  x += 0x9E3779B97F4A7C15U;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

uint64_t hash(std::string_view name) {
  uint64_t h = 0xCBF29CE484222325U;  // FNV-1a
  for (char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001B3U;
  return h;
}

template <class Fill>
Tensor drawn(const char* name, const Shape& shape, TensorOptions options, Fill fill) {
  ISKRA_CHECK(is_floating(options.dtype), name, ": the dtype is ", name_of(options.dtype),
              "; it must be floating, convert the result with to(DType)");
  Tensor y = Tensor::empty(shape, options);
  RngDraw draw(0, y.device());
  detail::launch(y.device(), [&](auto on) { fill(on, y.mut(), draw.key()); });
  return y;
}

}  // namespace

RngScope::RngScope(const Options& options)
    : options_(options), before_(ambient().scope), place_before_(ambient().place) {
  ambient().scope = this;
  ambient().place = 0;
}

detail::RngSnapshot::RngSnapshot() : scoped(ambient().scope != nullptr), place(ambient().place) {
  if (!scoped) {
    calls = ambient().calls;
    return;
  }
  RngScope& scope = *ambient().scope;
  scope.step_on(Device::cpu());  // whatever device draws: that it advanced shows in this one
  options = scope.options_;
  steps = scope.steps_;
  calls = scope.calls_;
}

// Outside of any scope the key is seed 0 without a step.
RngScope::RngScope(const detail::RngSnapshot& at)
    : options_(at.options),
      steps_(at.steps),
      stepless_(!at.scoped),
      calls_(at.calls),
      before_(ambient().scope),
      place_before_(ambient().place) {
  if (!at.scoped) options_ = {};
  ambient().scope = this;
  ambient().place = at.place;
}

RngScope::~RngScope() {
  ambient().scope = before_;
  ambient().place = place_before_;
}

void RngScope::advance() {
  ++options_.step;
  // In place: a captured step reads the number from this very memory.
  for (Tensor& step : steps_) step.copy_from(Tensor::of({options_.step}, {}, Device::cpu()));
  calls_.clear();
}

Tensor RngScope::step_on(Device device) {
  if (stepless_) return {};
  for (const Tensor& step : steps_) {
    if (step.device() == device) return step;
  }
  steps_.push_back(Tensor::of({options_.step}, {}, device));
  return steps_.back();
}

RngPlace::RngPlace(std::string_view name) : place_before_(ambient().place) {
  ambient().place = mix(place_before_ ^ hash(name));
}

RngPlace::~RngPlace() { ambient().place = place_before_; }

RngDraw::RngDraw(int64_t per_sample, Device device) {
  Ambient& at = ambient();
  uint64_t number = (at.scope != nullptr ? at.scope->calls_ : at.calls)[at.place]++;
  key_.place = mix(at.place + mix(number));
  if (at.scope == nullptr) return;
  key_.seed = at.scope->options_.seed;
  key_.first = at.scope->options_.first_sample * per_sample;
  step_ = at.scope->step_on(device);
  if (step_.defined()) key_.step = static_cast<const int64_t*>(step_.raw_data());
}

kernels::RngKey RngDraw::key() const { return key_; }

Tensor uniform(const Shape& shape, double low, double high, TensorOptions options, Caller caller) {
  detail::OpScope scope("uniform", caller);
  return drawn("uniform", shape, options,
               [&](auto on, auto y, auto key) { kernels::random_uniform(on, y, low, high, key); });
}

Tensor normal(const Shape& shape, double mean, double std, TensorOptions options, Caller caller) {
  detail::OpScope scope("normal", caller);
  return drawn("normal", shape, options,
               [&](auto on, auto y, auto key) { kernels::random_normal(on, y, mean, std, 0, key); });
}

Tensor truncated_normal(const Shape& shape, double mean, double std, double cut, TensorOptions options,
                        Caller caller) {
  detail::OpScope scope("truncated_normal", caller);
  ISKRA_CHECK(cut > 0, "truncated_normal: cut ", cut, " standard deviations; it must be positive");
  return drawn("truncated_normal", shape, options,
               [&](auto on, auto y, auto key) { kernels::random_normal(on, y, mean, std, cut, key); });
}

namespace {

// Ones where the numbers of this draw lie below p (f32, laid out like y).
void draw_bernoulli(const Tensor& p, Tensor& y) {
  RngDraw draw(0, y.device());
  detail::launch(y.device(), [&](auto on) { kernels::random_bernoulli(on, p.view(), draw.key(), y.mut()); });
}

}  // namespace

Tensor bernoulli(const Shape& shape, double p, TensorOptions options, Caller caller) {
  detail::OpScope scope("bernoulli", caller);
  ISKRA_CHECK(p >= 0 && p <= 1, "bernoulli: the probability is ", p, "; it must lie in [0, 1]");
  Tensor y = Tensor::empty(shape, options);
  TensorOptions wide = options;
  wide.dtype = DType::f32;
  draw_bernoulli(Tensor::full(shape, p, wide), y);
  return y;
}

Tensor bernoulli(const Tensor& probabilities, Caller caller) {
  detail::OpScope scope("bernoulli", caller);
  ISKRA_CHECK(is_floating(probabilities.dtype()), "bernoulli: the probabilities are ", probabilities.str(),
              "; they must be floating");
  Tensor y = Tensor::empty_like(probabilities);
  Tensor p = Tensor::empty(y.shape(), {.dtype = DType::f32, .device = y.device()});
  p = detail::view_of(p, y.shape(), y.strides());
  p.copy_from(probabilities);
  draw_bernoulli(p, y);
  return y;
}

Tensor random_integers(const Shape& shape, int64_t low, int64_t high, TensorOptions options, Caller caller) {
  detail::OpScope scope("random_integers", caller);
  ISKRA_CHECK(low < high, "random_integers: numbers from ", low, " to below ", high,
              "; there must be at least one");
  Tensor y = Tensor::empty(shape, {.dtype = DType::i64, .device = options.device});
  RngDraw draw(0, y.device());
  detail::launch(y.device(), [&](auto on) {
    kernels::random_integers(on, y.mut(), low, static_cast<uint64_t>(high) - static_cast<uint64_t>(low),
                             draw.key());
  });
  y = y.to(options.dtype);
  return options.layout == Layout::channels_last ? y.contiguous(options.layout) : y;
}

Tensor permutation(int64_t n, Device device, Caller caller) {
  detail::OpScope scope("permutation", caller);
  ISKRA_CHECK(n >= 0, "permutation: of ", n, " numbers; the count must not be negative");
  Tensor y = Tensor::empty({n}, {.dtype = DType::i64, .device = device});
  RngDraw draw(0, device);
  detail::launch(device, [&](auto on) { kernels::permutation(on, draw.key(), y.mut()); });
  return y;
}

}  // namespace iskra
