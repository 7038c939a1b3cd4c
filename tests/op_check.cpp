#include "op_check.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <map>

#include <iskra/core/autograd.h>
#include <iskra/core/stream.h>
#include <iskra/kernels/device_api.h>

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

bool is_half(DType d) { return d == DType::bf16 || d == DType::f16; }

/// "" of a row with one output, else "0", "1", …
std::string number_of(const Tensors& ys, size_t i) { return ys.size() > 1 ? std::to_string(i) : ""; }

/// Whether what 16-bit runs start from is exact in f16.
bool exact_in_f16(const OpCase& row) {
  const GoldenFile& file = op_goldens(row.op->family);
  auto exact = [&](const std::string& name) {
    Tensor rounded = file.at(name).tensor(DType::bf16);
    return bool(same_bits(rounded, rounded.to(DType::f16).to(DType::bf16)));
  };
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    if (!exact(row.key() + "/input" + std::to_string(i))) return false;
  }
  for (const char* dy : {"/dy", "/dy0", "/dy1", "/dy2"}) {
    if (file.has(row.key() + dy) && !exact(row.key() + dy)) return false;
  }
  return true;
}

/// Relative error allowed to a result of dtype `got` in a run in `dtype`.
double relative(const Tolerance& allowed, DType dtype, DType got, double half) {
  if (is_half(dtype) && is_half(got)) return half * (dtype == DType::bf16 ? 0x1p-8 : 0x1p-11);
  // What an op gives in f32 whatever it takes (normalize_images, to) is known to f32 only, and so are the
  // goldens of 16-bit runs.
  bool single = dtype == DType::f32 || is_half(dtype) || got == DType::f32;
  return single ? allowed.f32 : allowed.f64;
}

/// The golden's kind of number, where the run's dtype does not decide it.
bool same_kind(const Golden& want, DType dtype, DType got) {
  if (want.dtype == DType::boolean) return got == DType::boolean || !is_floating(dtype);
  if (!is_floating(want.dtype)) return !is_floating(got) || !is_floating(dtype);
  return is_floating(got) || !is_floating(dtype);
}

// NaN in every floating dtype.
void fill_with_nan(const Tensor& block) {
  if (block.device().is_cpu()) {
    std::memset(block.raw_data(), 0xFF, block.bytes());
  } else {
    device::fill_bytes(block.raw_data(), 0xFF, block.bytes(),
                       static_cast<device::Stream>(current_stream(block.device()).handle()));
  }
}

}  // namespace

const GoldenFile& op_goldens(const std::string& family) {
  static std::map<std::string, GoldenFile> files;
  auto found = files.find(family);
  if (found == files.end()) {
    found = files.emplace(family, GoldenFile::read("ops_" + family + ".safetensors")).first;
  }
  return found->second;
}

bool Outcome::recorded() const {
  return std::any_of(ys.begin(), ys.end(), [](const Tensor& y) { return y.requires_grad(); });
}

std::vector<DType> run_dtypes(const OpCase& row) {
  std::vector<DType> types = row.dtypes();
#ifdef ISKRA_SANITIZED
  bool first = row.name == row.op->rows.front().name;
  auto needless = [&](DType d) { return d != DType::f32 && !(first && d == DType::bf16); };
  if (std::find(types.begin(), types.end(), DType::f32) != types.end()) {
    types.erase(std::remove_if(types.begin(), types.end(), needless), types.end());
  }
#endif
  auto f16 = std::find(types.begin(), types.end(), DType::f16);
  if (f16 != types.end() && !exact_in_f16(row)) types.erase(f16);
  return types;
}

DType best_dtype(const OpCase& row) { return row.dtypes().at(0); }

Golden golden_of(const OpCase& row, const std::string& name, DType dtype, double factor) {
  const GoldenFile& file = op_goldens(row.op->family);
  std::string key = row.key() + "/" + name;
  Golden golden = file.at(is_half(dtype) && file.has(key + "_half") ? key + "_half" : key);
  for (double& value : golden.values) value *= factor;
  return golden;
}

Tensors golden_inputs(const OpCase& row, DType dtype) {
  Tensors inputs;
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    const Input& spec = row.inputs[i];
    Golden golden = golden_of(row, "input" + std::to_string(i), dtype);
    bool round = is_half(dtype) && is_floating(golden.dtype);
    Tensor x = golden.tensor(round ? DType::bf16 : spec.dtype(dtype)).to(spec.dtype(dtype));
    if (spec.gradient && is_floating(x.dtype())) x.set_requires_grad();
    inputs.push_back(x);
  }
  return inputs;
}

void backward_from(const Tensors& ys, const std::function<Tensor(const Tensor& y, size_t i)>& dy_of) {
  Tensor total;  // one pass over the graph, whatever outputs share
  for (size_t i = 0; i < ys.size(); ++i) {
    if (!ys[i].requires_grad()) continue;
    Tensor dy = dy_of(ys[i], i);
    if (ys.size() == 1) return backward(ys[i], dy);
    Tensor part = sum(ys[i] * dy);
    total = total.defined() ? total + part : part;
  }
  if (total.defined()) backward(total);
}

void backward_golden(const OpCase& row, const Tensors& ys, DType dtype) {
  backward_from(ys, [&](const Tensor& y, size_t i) {
    Golden golden = golden_of(row, "dy" + number_of(ys, i), dtype);
    return golden.tensor(is_half(dtype) ? DType::bf16 : dtype).to(y.dtype());
  });
}

Outcome run_golden(const OpCase& row, const RunOptions& options) {
  Tensors leaves = golden_inputs(row, options.dtype);
  for (size_t i = 0; i < options.wanted.size(); ++i) leaves[i].set_requires_grad(options.wanted[i]);
  Outcome outcome;
  for (int pass = 0; pass < options.passes; ++pass) {
    Tensors inputs;
    for (const Tensor& leaf : leaves) inputs.push_back(laid_out(leaf, options.memory));
    poison_cached_memory();
    outcome.ys = row.run(inputs);
    if (!outcome.recorded()) continue;
    poison_cached_memory();
    backward_golden(row, outcome.ys, options.dtype);
  }
  for (const Tensor& leaf : leaves) outcome.gradients.push_back(leaf.grad());
  return outcome;
}

void poison_cached_memory() {
  std::vector<Tensor> blocks;
  for (int64_t bytes = 64; bytes <= 64 << 10; bytes += std::max<int64_t>(64, bytes / 4)) {
    for (int copy = 0; copy < 4; ++copy) {
      Tensor block = Tensor::empty({bytes}, {.dtype = DType::u8});
      fill_with_nan(block);
      blocks.push_back(block);
    }
  }
}

std::vector<bool> all_wanted(const OpCase& row, DType dtype) {
  std::vector<bool> wanted;
  for (const Input& input : row.inputs) wanted.push_back(input.gradient && is_floating(input.dtype(dtype)));
  return wanted;
}

void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype, const std::vector<bool>& wanted,
                   double factor) {
  const Tolerance& allowed = row.tolerance;
  DType worst = DType::f64;  // of the outputs: a rounded one rounds every gradient
  for (size_t i = 0; i < outcome.ys.size(); ++i) {
    const Tensor& y = outcome.ys[i];
    Golden want = golden_of(row, "output" + number_of(outcome.ys, i), dtype);
    EXPECT_TRUE(same_kind(want, dtype, y.dtype())) << y.str() << " where PyTorch has " << name_of(want.dtype);
    EXPECT_TRUE(near(y, want, relative(allowed, dtype, y.dtype(), allowed.half), allowed.floor))
        << "output " << i;
    if (is_half(y.dtype()) || (y.dtype() == DType::f32 && !is_half(worst))) worst = y.dtype();
  }
  double floor = allowed.gradient_floor < 0 ? allowed.floor : allowed.gradient_floor;
  for (size_t i = 0; i < outcome.gradients.size(); ++i) {
    const Tensor& dx = outcome.gradients[i];
    if (!wanted[i]) {
      EXPECT_FALSE(dx.defined()) << "input " << i << " wanted no gradient";
      continue;
    }
    ASSERT_TRUE(dx.defined()) << "input " << i << " has no gradient";
    EXPECT_EQ(dx.dtype(), row.inputs[i].dtype(dtype)) << "the gradient of input " << i;
    Golden want = golden_of(row, "gradient" + std::to_string(i), dtype, factor);
    double tolerance = relative(allowed, dtype, is_half(dtype) ? dtype : worst, allowed.half_gradient);
    // On CUDA the sum of dy * y is made of the rounded y, as FlashAttention does it; on the CPU before that.
    if (row.op->family == "attention" && is_half(dtype) && dx.device().is_cuda()) tolerance *= 4;
    EXPECT_TRUE(near(dx, want, tolerance, floor)) << "the gradient of input " << i;
  }
}

void expect_golden(const OpCase& row, const Outcome& outcome, DType dtype) {
  expect_golden(row, outcome, dtype, all_wanted(row, dtype));
}

}  // namespace iskra::testing
