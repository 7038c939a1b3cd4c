#include "peaks.h"

#include <cmath>
#include <cstring>
#include <map>

#include <iskra/core/context.h>
#include <iskra/kernels/parallel.h>

#include "onednn_direct.h"
#include "timing.h"

namespace iskra::bench {

double copy_rate(double bytes) {
  static std::map<int, double> measured;
  const int power = std::max(12, static_cast<int>(std::lround(std::log2(std::max(bytes, 1.0)))));
  if (auto at = measured.find(power); at != measured.end()) return at->second;
  const int64_t half = int64_t{1} << (power - 1);
  Tensor from = Tensor::full({half}, 1, {.dtype = DType::u8}),
         to = Tensor::full({half}, 2, {.dtype = DType::u8});
  const auto* source = static_cast<const char*>(from.raw_data());
  auto* target = static_cast<char*>(to.raw_data());
  const kernels::Cpu on{thread_budget()};
  // Below this a second thread costs more than it brings, for a copy as for an op.
  const int64_t grain = std::max<int64_t>(half / on.threads, 32 << 10);
  Seconds seconds = seconds_of(
      [&] {
        kernels::parallel_for(on, half, grain, [&](int64_t begin, int64_t end) {
          std::memcpy(target + begin, source + begin, static_cast<size_t>(end - begin));
        });
      },
      0.1);
  return measured[power] = 2 * static_cast<double>(half) / seconds.best;
}

double product_rate(DType dtype) {
  static std::map<DType, double> measured;
  if (auto at = measured.find(dtype); at != measured.end()) return at->second;
  double rate = 0;
  for (int64_t n : {1024, 2048}) {
    auto product = onednn_square_product(n, dtype);
    if (!product) continue;
    rate = std::max(rate, 2 * std::pow(static_cast<double>(n), 3) / seconds_of(product, 0.3).best);
  }
  return measured[dtype] = rate;
}

}  // namespace iskra::bench
