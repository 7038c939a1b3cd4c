#include <algorithm>
#include <cstring>
#include <utility>

#include <iskra/kernels/check.h>
#include <iskra/zoo/data/loader.h>
#include <iskra/zoo/data/sample_random.h>

namespace iskra::zoo {

kernels::PhiloxStream sample_stream(uint64_t seed, RandomUse use, int64_t epoch, int64_t sample) {
  return kernels::PhiloxStream(kernels::philox_key(seed, static_cast<uint64_t>(use)),
                               static_cast<uint64_t>(epoch), static_cast<uint64_t>(sample));
}

std::vector<int64_t> random_order(int64_t n, uint64_t seed, RandomUse use, int64_t epoch) {
  std::vector<std::pair<uint64_t, int64_t>> keys;
  keys.reserve(static_cast<size_t>(n));
  for (int64_t i = 0; i < n; ++i) {
    kernels::PhiloxStream stream = sample_stream(seed, use, epoch, i);
    uint64_t high = stream.next();
    keys.emplace_back(high << 32 | stream.next(), i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<int64_t> order;
  order.reserve(keys.size());
  for (const auto& [key, i] : keys) order.push_back(i);
  return order;
}

std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch) {
  return random_order(n, seed, RandomUse::order, epoch);
}

AugmentChoice choose_augment(const Augment& augment, uint64_t seed, int64_t epoch, int64_t index) {
  AugmentChoice choice;
  if (!augment.flip && augment.shift == 0) return choice;
  kernels::PhiloxStream stream = sample_stream(seed, RandomUse::augment, epoch, index);
  // Always drawn, so that turning one augmentation off does not change the other.
  bool heads = stream.below(2) == 1;
  choice.flip = augment.flip && heads;
  choice.dx = stream.below(2 * augment.shift + 1) - augment.shift;
  choice.dy = stream.below(2 * augment.shift + 1) - augment.shift;
  return choice;
}

void apply_augment(const AugmentChoice& choice, const uint8_t* from, uint8_t* to, int64_t height,
                   int64_t width, int64_t channels) {
  auto row_bytes = static_cast<size_t>(width * channels);
  // Columns [left, right) of the result come from the picture, the others are black.
  int64_t left = std::clamp<int64_t>(choice.dx, 0, width),
          right = std::clamp<int64_t>(width + choice.dx, 0, width);
  for (int64_t y = 0; y < height; ++y) {
    uint8_t* row = to + y * width * channels;
    int64_t from_y = y - choice.dy;
    if (from_y < 0 || from_y >= height || left >= right) {
      std::memset(row, 0, row_bytes);
      continue;
    }
    const uint8_t* source = from + from_y * width * channels;
    std::memset(row, 0, static_cast<size_t>(left * channels));
    std::memset(row + right * channels, 0, static_cast<size_t>((width - right) * channels));
    if (!choice.flip) {
      std::memcpy(row + left * channels, source + (left - choice.dx) * channels,
                  static_cast<size_t>((right - left) * channels));
      continue;
    }
    for (int64_t x = left; x < right; ++x) {
      std::memcpy(row + x * channels, source + (width - 1 - (x - choice.dx)) * channels,
                  static_cast<size_t>(channels));
    }
  }
}

}  // namespace iskra::zoo
