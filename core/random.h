// Random numbers that depend on where they are drawn, not on when: see kernels/philox.h for the generator.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <iskra/core/tensor.h>
#include <iskra/kernels/kernels.h>

namespace iskra {

namespace detail {
struct RngSnapshot;
}

/// The ambient key of every random op on this thread: seed, step, and the index of the batch's first sample
/// in the unsharded batch. The step lies on every device that draws, and can be advanced without a new scope.
class RngScope {
 public:
  struct Options {
    uint64_t seed = 0;
    int64_t step = 0;
    int64_t first_sample = 0;
  };
  explicit RngScope(const Options& options);
  ~RngScope();
  RngScope(const RngScope&) = delete;
  RngScope& operator=(const RngScope&) = delete;
  /// The next step: the same places draw other numbers. Call it after the step's backward pass.
  void advance();

 private:
  friend struct RngDraw;
  friend struct detail::RngSnapshot;
  friend class RngReplay;
  explicit RngScope(const detail::RngSnapshot& at);
  /// The step's number in that device's memory; undefined outside of any scope.
  Tensor step_on(Device device);
  Options options_;
  std::vector<Tensor> steps_;  // i64 (), one for each device that has drawn
  bool stepless_ = false;
  std::unordered_map<uint64_t, uint64_t> calls_;  // draws made so far at each place
  RngScope* before_;
  uint64_t place_before_;
};

/// Enters a named place (a module): random ops inside are keyed by the path of names and their number within
/// it.
class RngPlace {
 public:
  explicit RngPlace(std::string_view name);
  ~RngPlace();
  RngPlace(const RngPlace&) = delete;
  RngPlace& operator=(const RngPlace&) = delete;

 private:
  uint64_t place_before_;
};

/// One draw: the key of the next random op at this place. `per_sample` is the number of elements one sample
/// of the batch has, `device` where it draws. Keep it alive as long as its key is used (a closure copies it).
struct RngDraw {
  RngDraw(int64_t per_sample, Device device);
  kernels::RngKey key() const;

 private:
  kernels::RngKey key_;
  Tensor step_;
};

namespace detail {
/// Where this thread's random draws stand. The step itself is not copied: it must not advance before a
/// replay.
struct RngSnapshot {
  RngSnapshot();
  bool scoped;
  RngScope::Options options;
  std::vector<Tensor> steps;
  std::unordered_map<uint64_t, uint64_t> calls;
  uint64_t place;
};
}  // namespace detail

/// Within its scope draws repeat those made since the snapshot; afterwards they go on where they stood.
class RngReplay {
 public:
  explicit RngReplay(const detail::RngSnapshot& at) : scope_(at) {}

 private:
  RngScope scope_;
};

/// Fresh tensors with random values (key: the ambient scope, or `seed` without one).
Tensor uniform(const Shape& shape, double low, double high, TensorOptions options = {},
               Caller caller = Caller::current());
Tensor normal(const Shape& shape, double mean, double std, TensorOptions options = {},
              Caller caller = Caller::current());
/// Normal, redrawn inside mean +- cut standard deviations.
Tensor truncated_normal(const Shape& shape, double mean, double std, double cut, TensorOptions options = {},
                        Caller caller = Caller::current());
/// Ones with probability p, else zeros; any dtype.
Tensor bernoulli(const Shape& shape, double p, TensorOptions options = {}, Caller caller = Caller::current());
/// The same with a probability for each element (floating), in their dtype.
Tensor bernoulli(const Tensor& probabilities, Caller caller = Caller::current());
/// Whole numbers in [low, high), each equally likely.
Tensor random_integers(const Shape& shape, int64_t low, int64_t high,
                       TensorOptions options = {.dtype = DType::i64}, Caller caller = Caller::current());
/// The numbers 0 … n-1 in random order, i64: every order equally likely.
Tensor permutation(int64_t n, Device device = Device::cpu(), Caller caller = Caller::current());

}  // namespace iskra
