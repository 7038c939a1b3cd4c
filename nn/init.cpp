#include <iskra/nn/init.h>

#include <cmath>

#include <iskra/core/random.h>

namespace iskra::nn::init {
namespace {

bool& skipping() {
  thread_local bool on = false;
  return on;
}

TensorOptions options_of(const Tensor& w) { return {.dtype = w.dtype(), .device = w.device()}; }

}  // namespace

Skip::Skip() : before_(skipping()) { skipping() = true; }
Skip::~Skip() { skipping() = before_; }
bool Skip::active() { return skipping(); }

void zeros(Tensor& w) {
  if (!Skip::active()) w.fill(0);
}

void ones(Tensor& w) {
  if (!Skip::active()) w.fill(1);
}

void uniform(Tensor& w, double low, double high) {
  if (!Skip::active()) w.copy_from(iskra::uniform(w.shape(), low, high, options_of(w)));
}

void normal(Tensor& w, double std) {
  if (!Skip::active()) w.copy_from(iskra::normal(w.shape(), 0, std, options_of(w)));
}

void truncated_normal(Tensor& w, double std) {
  if (!Skip::active()) w.copy_from(iskra::truncated_normal(w.shape(), 0, std, 2, options_of(w)));
}

void kaiming_normal(Tensor& w) {
  ISKRA_CHECK(w.rank() >= 2, "init::kaiming_normal: shape ", w.shape(),
              " has no fan; it needs two axes or more");
  int64_t fan_out = w.size(0);
  for (int i = 2; i < w.rank(); ++i) fan_out *= w.size(i);
  normal(w, std::sqrt(2.0 / static_cast<double>(fan_out)));
}

void fan_in_uniform(Tensor& w, int64_t fan_in) {
  double bound = fan_in > 0 ? 1.0 / std::sqrt(static_cast<double>(fan_in)) : 0.0;
  uniform(w, -bound, bound);
}

}  // namespace iskra::nn::init
