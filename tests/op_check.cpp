#include "op_check.h"

#include <algorithm>
#include <cstring>
#include <limits>

namespace iskra::testing {

namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Tensor gap_like(const Tensor& x, const Shape& shape) {
  double value = is_floating(x.dtype()) ? kNan : 77;  // out of range as a label
  return Tensor::full(shape, value, {.dtype = x.dtype()});
}

/// x between two gaps along its last axis; rank 1 at least.
Tensor with_gaps(const Tensor& x) {
  Shape gap = x.shape();
  gap[gap.rank() - 1] = 1;
  Tensor g = gap_like(x, gap);
  return cat({g, x, g}, -1).narrow(-1, 1, x.size(-1));
}

Tensor laid_out(const Tensor& x, Memory memory) {
  switch (memory) {
    case Memory::plain:
      return x;
    case Memory::reversed: {
      Shape axes = x.shape();
      for (int i = 0; i < x.rank(); ++i) axes[i] = x.rank() - 1 - i;
      return x.permute(axes).contiguous().permute(axes);
    }
    case Memory::padded:
      return x.rank() == 0 ? x : with_gaps(x);
    case Memory::strided:
      return with_gaps(x.unsqueeze(-1)).squeeze(-1);
    case Memory::channels_last:
      return x.rank() == 4 ? x.contiguous(Layout::channels_last) : x;
  }
  return x;
}

}  // namespace

const GoldenFile& op_goldens() {
  static const GoldenFile kFile = GoldenFile::read("ops.safetensors");
  return kFile;
}

Golden golden_of(const OpCase& row, const std::string& name, double factor) {
  Golden golden = op_goldens().at(row.key() + "/" + name);
  for (double& value : golden.values) value *= factor;
  return golden;
}

Tensors golden_inputs(const OpCase& row, DType dtype) {
  Tensors inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Input& spec = row.inputs[i];
    Tensor x = golden_of(row, "input" + std::to_string(i)).tensor(spec.dtype(dtype));
    if (spec.gradient) x.set_requires_grad();
    inputs.push_back(x);
  }
  return inputs;
}

Outcome run_golden(const OpCase& row, const RunOptions& options) {
  Tensors leaves = golden_inputs(row, options.dtype);
  for (size_t i = 0; i < options.wanted.size(); ++i) leaves[i].set_requires_grad(options.wanted[i]);
  Outcome outcome;
  for (int pass = 0; pass < options.passes; ++pass) {
    Tensors inputs;
    for (const Tensor& leaf : leaves) inputs.push_back(laid_out(leaf, options.memory));
    poison_cached_memory();
    outcome.y = row.run(inputs);
    if (!outcome.y.requires_grad()) continue;
    Tensor dy = golden_of(row, "dy").tensor(options.dtype).to(outcome.y.dtype());
    poison_cached_memory();
    backward(outcome.y, dy);
  }
  for (const Tensor& leaf : leaves) outcome.gradients.push_back(leaf.grad());
  return outcome;
}

void poison_cached_memory() {
  std::vector<Tensor> blocks;
  for (int64_t bytes = 64; bytes <= 64 << 10; bytes += std::max<int64_t>(64, bytes / 4)) {
    for (int copy = 0; copy < 4; ++copy) {
      Tensor block = Tensor::empty({bytes}, {.dtype = DType::u8});
      std::memset(block.raw_data(), 0xFF, static_cast<size_t>(bytes));  // NaN in every floating dtype
      blocks.push_back(block);
    }
  }
}

std::vector<bool> all_wanted(const OpCase& row) {
  std::vector<bool> wanted;
  for (const Input& input : row.inputs) wanted.push_back(input.gradient);
  return wanted;
}

void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype, const std::vector<bool>& wanted,
                   double factor) {
  const Tolerance& allowed = row.tolerance;
  // What an op gives in f32 whatever it takes (normalize_images, to) is known to f32 only.
  bool single = dtype == DType::f32 || outcome.y.dtype() == DType::f32;
  double tolerance = single ? allowed.f32 : allowed.f64;
  EXPECT_TRUE(near(outcome.y, golden_of(row, "output"), tolerance, allowed.floor)) << "the output";
  double floor = allowed.gradient_floor < 0 ? allowed.floor : allowed.gradient_floor;
  for (size_t i = 0; i < outcome.gradients.size(); ++i) {
    if (!wanted[i]) {
      EXPECT_FALSE(outcome.gradients[i].defined()) << "input " << i << " wanted no gradient";
      continue;
    }
    Golden want = golden_of(row, "gradient" + std::to_string(i), factor);
    EXPECT_TRUE(near(outcome.gradients[i], want, tolerance, floor)) << "the gradient of input " << i;
  }
}

void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype) {
  expect_golden(row, outcome, dtype, all_wanted(row));
}

}  // namespace iskra::testing
