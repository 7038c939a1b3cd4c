#include <iskra/kernels/check.h>
#include <iskra/kernels/philox.h>

namespace iskra::kernels {

PhiloxStream::PhiloxStream(uint64_t seed, uint64_t a, uint64_t b) : key_(philox_key(seed, a)), high_(b) {}

uint32_t PhiloxStream::next() {
  if (used_ == 4) {
    block_ = philox(low_++, high_, key_);
    used_ = 0;
  }
  return block_.word[used_++];
}

float PhiloxStream::uniform() { return uniform_of(next()); }

float PhiloxStream::uniform(float low, float high) {
  float value = low + (high - low) * uniform();
  return value < high ? value : low;  // rounding may reach high
}

int64_t PhiloxStream::below(int64_t n) {
  ISKRA_CHECK(n >= 1, "PhiloxStream: a number below ", n, " was asked for; the bound must be 1 or more");
  // Values past the last whole multiple of n would favour small remainders: draw again.
  const uint64_t bound = static_cast<uint64_t>(n);
  const uint64_t past = (UINT64_MAX % bound + 1) % bound;
  for (;;) {
    uint64_t high = next();
    uint64_t value = high << 32 | next();
    if (value <= UINT64_MAX - past) return static_cast<int64_t>(value % bound);
  }
}

}  // namespace iskra::kernels
