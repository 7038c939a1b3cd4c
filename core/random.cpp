#include <iskra/core/random.h>

#include <iskra/core/launch.h>

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
Tensor drawn(const Shape& shape, TensorOptions options, Fill fill) {
  ISKRA_CHECK(is_floating(options.dtype), "random: a ", name_of(options.dtype),
              " tensor cannot hold random reals");
  Tensor y = Tensor::empty(shape, options);
  RngDraw draw(0);
  detail::launch(y.device(), [&](auto on) { fill(on, y.mut(), draw.key()); });
  return y;
}

}  // namespace

RngScope::RngScope(const Options& options)
    : options_(options),
      step_(Tensor::of({options.step}, {}).to(options.device)),
      before_(ambient().scope),
      place_before_(ambient().place) {
  ambient().scope = this;
  ambient().place = 0;
}

RngScope::~RngScope() {
  ambient().scope = before_;
  ambient().place = place_before_;
}

void RngScope::advance() {
  ++options_.step;
  // In place: a captured step reads the number from this very memory.
  step_.copy_from(Tensor::of({options_.step}, {}).to(options_.device));
  calls_.clear();
}

RngPlace::RngPlace(std::string_view name) : place_before_(ambient().place) {
  ambient().place = mix(place_before_ ^ hash(name));
}

RngPlace::~RngPlace() { ambient().place = place_before_; }

RngDraw::RngDraw(int64_t per_sample) {
  Ambient& at = ambient();
  uint64_t number = (at.scope != nullptr ? at.scope->calls_ : at.calls)[at.place]++;
  key_.place = mix(at.place + mix(number));
  if (at.scope == nullptr) return;
  key_.seed = at.scope->options_.seed;
  key_.first = at.scope->options_.first_sample * per_sample;
  step_ = at.scope->step_;
  key_.step = static_cast<const int64_t*>(step_.raw_data());
}

kernels::RngKey RngDraw::key() const { return key_; }

Tensor uniform(const Shape& shape, double low, double high, TensorOptions options, Caller caller) {
  detail::OpScope scope("uniform", caller);
  return drawn(shape, options,
               [&](auto on, auto y, auto key) { kernels::random_uniform(on, y, low, high, key); });
}

Tensor normal(const Shape& shape, double mean, double std, TensorOptions options, Caller caller) {
  detail::OpScope scope("normal", caller);
  return drawn(shape, options,
               [&](auto on, auto y, auto key) { kernels::random_normal(on, y, mean, std, 0, key); });
}

Tensor truncated_normal(const Shape& shape, double mean, double std, double cut, TensorOptions options,
                        Caller caller) {
  detail::OpScope scope("truncated_normal", caller);
  ISKRA_CHECK(cut > 0, "truncated_normal: cut ", cut, " standard deviations; it must be positive");
  return drawn(shape, options,
               [&](auto on, auto y, auto key) { kernels::random_normal(on, y, mean, std, cut, key); });
}

}  // namespace iskra
