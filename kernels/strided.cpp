#include <cstdlib>

#include <iskra/kernels/strided.h>

namespace iskra::kernels {

StridedLoop::StridedLoop(const Shape& shape, std::initializer_list<const Shape*> strides)
    : numel(shape.numel()), operands(static_cast<int>(strides.size())) {
  const Shape* const* of = strides.begin();
  int axes[Shape::kMaxRank];
  int kept = 0;
  for (int axis = shape.rank() - 1; axis >= 0; --axis)
    if (shape[axis] != 1) axes[kept++] = axis;

  // Insertion sort: stable, so that axes with equal strides (broadcast ones) keep their row-major order.
  auto further_in = [&](int a, int b) {
    for (int o = operands - 1; o >= 0; --o) {
      int64_t sa = std::abs((*of[o])[a]), sb = std::abs((*of[o])[b]);
      if (sa != sb && sa != 0 && sb != 0) return sa < sb;
    }
    return false;
  };
  for (int i = 1; i < kept; ++i)
    for (int j = i; j > 0 && further_in(axes[j], axes[j - 1]); --j) std::swap(axes[j], axes[j - 1]);

  for (int i = 0; i < kept; ++i) {
    int axis = axes[i];
    bool merges = rank > 0;
    for (int o = 0; o < operands && merges; ++o)
      merges = (*of[o])[axis] == stride[o][rank - 1] * size[rank - 1];
    if (merges) {
      size[rank - 1] *= shape[axis];
      continue;
    }
    size[rank] = shape[axis];
    for (int o = 0; o < operands; ++o) stride[o][rank] = (*of[o])[axis];
    ++rank;
  }
  for (; rank < 2; ++rank) size[rank] = 1;
}

StridedLoop::Run StridedLoop::locate(int64_t at) const {
  Run run{};
  for (int i = 0; i < rank && at > 0; ++i) {
    int64_t place = at % size[i];
    at /= size[i];
    for (int o = 0; o < operands; ++o) run.offset[o] += place * stride[o][i];
  }
  return run;
}

}  // namespace iskra::kernels
