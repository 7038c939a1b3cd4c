// Convolution by oneDNN: pictures in blocks of a fixed number, each block on one thread; weights are brought
// into the layout that oneDNN prefers once per call.
#include <algorithm>
#include <optional>

#include <iskra/kernels/conv.h>
#include <iskra/kernels/lanes.h>
#include <iskra/kernels/onednn.h>

namespace iskra::kernels::vendor {
namespace {

/// A program for the blocks of full size and one for the last, with their reordered weights.
class BlockPrograms {
 public:
  BlockPrograms(const ConvShape& s, onednn::Direction direction, int64_t images) : images_(images) {
    blocks_ = (s.images + images - 1) / images;
    for (int i = 0; i < 2; ++i) {
      ConvShape block = s;
      block.images = i == 0 ? std::min(images, s.images) : s.images - (blocks_ - 1) * images;
      programs_[i] = onednn::convolution(block, direction);
      if (programs_[i]) scratch_bytes_ = std::max(scratch_bytes_, onednn::scratch_bytes(*programs_[i]));
    }
  }
  bool defined() const { return programs_[0] && programs_[1]; }
  int64_t blocks() const { return blocks_; }
  int64_t images() const { return images_; }
  size_t scratch_bytes() const { return scratch_bytes_; }
  bool one_layout() const { return onednn::same_weights(*programs_[0], *programs_[1]); }
  int64_t weight_count() const { return onednn::weight_count(*programs_[0]); }
  const onednn::Program& first() const { return *programs_[0]; }
  const onednn::Program& of(int64_t block) const { return *programs_[block == blocks_ - 1 ? 1 : 0]; }
  const float* weights_of(int64_t block) const { return weights_[block == blocks_ - 1 ? 1 : 0]; }

  /// Fills both programs' weights from plain ones (once, when they agree on the layout).
  void reorder_weights(const Cpu& on, const float* w, const char* op) {
    for (int i = 0; i < 2; ++i) {
      if (i == 1 && one_layout()) {
        weights_[1] = weights_[0];
        return;
      }
      float* to = scratch_of<float>(on, onednn::weight_count(*programs_[i]), op);
      onednn::Runner(onednn::weight_reorder(*programs_[i]), nullptr)({w, to});
      weights_[i] = to;
    }
  }

 private:
  int64_t images_, blocks_;
  onednn::ProgramPtr programs_[2];
  const float* weights_[2] = {};
  size_t scratch_bytes_ = 0;
};

/// The runner of a block's program, made when a lane first meets one.
class LaneRunner {
 public:
  LaneRunner(const BlockPrograms& programs, void* memory) : programs_(programs), memory_(memory) {}
  onednn::Runner& of(int64_t block) {
    auto& runner = runners_[block == programs_.blocks() - 1 ? 1 : 0];
    if (!runner) runner.emplace(programs_.of(block), memory_);
    return *runner;
  }

 private:
  const BlockPrograms& programs_;
  void* memory_;
  std::optional<onednn::Runner> runners_[2];
};

/// So many that a call is worth its overhead; one for all but tiny pictures.
int64_t images_per_block(const ConvShape& s) {
  constexpr double kOperations = 2e6;
  return std::clamp<int64_t>(static_cast<int64_t>(kOperations / std::max(s.operations(), 1.0)), 1, s.images);
}

}  // namespace

bool conv2d(const Cpu& on, const ConvShape& s, const float* x, const float* w, const float* bias, float* y) {
  const auto direction = bias == nullptr ? onednn::Direction::forward : onednn::Direction::forward_bias;
  BlockPrograms programs(s, direction, images_per_block(s));
  if (!programs.defined()) return false;
  programs.reorder_weights(on, w, "conv2d");
  parallel_lanes(on, programs.blocks(), programs.scratch_bytes(), "conv2d", [&](Pieces& todo, void* memory) {
    LaneRunner run(programs, memory);
    for (int64_t block; todo.next(block);) {
      const int64_t image = block * programs.images();
      const float* from = x + image * s.picture();
      float* to = y + image * s.out_picture();
      if (bias == nullptr)
        run.of(block)({from, programs.weights_of(block), to});
      else
        run.of(block)({from, programs.weights_of(block), bias, to});
    }
  });
  return true;
}

bool conv2d_backward_data(const Cpu& on, const ConvShape& s, const float* w, const float* dy, float* dx) {
  constexpr const char* kOp = "conv2d_backward_data";
  BlockPrograms programs(s, onednn::Direction::backward_data, images_per_block(s));
  if (!programs.defined()) return false;
  programs.reorder_weights(on, w, kOp);
  parallel_lanes(on, programs.blocks(), programs.scratch_bytes(), kOp, [&](Pieces& todo, void* memory) {
    LaneRunner run(programs, memory);
    for (int64_t block; todo.next(block);) {
      const int64_t image = block * programs.images();
      run.of(block)({dy + image * s.out_picture(), programs.weights_of(block), dx + image * s.picture()});
    }
  });
  return true;
}

bool conv2d_backward_weight(const Cpu& on, const ConvShape& s, const float* x, const float* dy, float* dw,
                            float beta) {
  constexpr const char* kOp = "conv2d_backward_weight";
  const WeightChunks chunks(s);
  const BlockPrograms programs(s, onednn::Direction::backward_weight, chunks.images);
  if (!programs.defined() || !programs.one_layout()) return false;
  const int64_t n = programs.weight_count();
  float* partials = scratch_of<float>(on, n * chunks.count, kOp);
  parallel_lanes(on, chunks.count, programs.scratch_bytes(), kOp, [&](Pieces& todo, void* memory) {
    LaneRunner run(programs, memory);
    for (int64_t chunk; todo.next(chunk);) {
      const int64_t image = chunk * chunks.images;
      run.of(chunk)({x + image * s.picture(), dy + image * s.out_picture(), partials + chunk * n});
    }
  });
  add_partials(on, partials, chunks.count, n);
  float* plain = beta == 0 ? dw : scratch_of<float>(on, s.weights(), kOp);
  onednn::Runner(onednn::weight_reorder(programs.first()), nullptr)({partials, plain});
  if (beta != 0)
    parallel_for(on, s.weights(), 16384, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) dw[i] = beta * dw[i] + plain[i];
    });
  return true;
}

}  // namespace iskra::kernels::vendor
