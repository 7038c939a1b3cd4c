// Batches for training and evaluation, made ahead by worker threads. What a batch holds depends on (seed,
// epoch, batch number) alone, never on timing, so a run can be taken up again in the middle of an epoch.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <vector>

#include <iskra/zoo/data/dataset.h>

namespace iskra::zoo {

struct Augment {
  bool flip = false;  ///< left and right exchanged, for half of the pictures
  int64_t shift = 0;  ///< moved by up to this many pixels either way; black (0) moves in
};

struct LoaderOptions {
  int64_t batch = 64;
  bool shuffle = false;
  uint64_t seed = 0;
  Augment augment = {};
  /// The caller's own augmentation, after ours: changes the pixels (H,W,C) of one sample in place. Called on
  /// worker threads; must depend on its arguments alone.
  std::function<void(uint8_t* pixels, int64_t epoch, int64_t sample)> transform = {};
  std::vector<float> mean = {}, std = {};  ///< per channel, of pixels in [0, 1]; empty: 0 and 1
  bool drop_last = false;                  ///< leave out the last batch when it is short
  int workers = 1;                         ///< threads; 0 makes each batch when it is asked for
  int prefetch = 2;                        ///< batches made ahead at most
  /// Where batches come to lie. Workers copy to a CUDA device, and normalise there, in streams of their own,
  /// beside what the device does for the batch before.
  Device device = Device::cpu();
};

struct Batch {
  Tensor images;  ///< f32 (N,C,H,W), channels-last, normalised
  Tensor labels;  ///< i64 (N)
};

/// for (auto& [images, labels] : loader) walks from the current place to the end of its epoch; the next loop
/// walks the next epoch. A loop that is left early is taken up there.
class Loader {
 public:
  explicit Loader(Dataset dataset, LoaderOptions options = {});
  ~Loader();
  Loader(Loader&&) noexcept;
  Loader& operator=(Loader&&) noexcept;

  /// The next batch of this epoch, or false at its end (after which the next epoch begins). Rethrows what
  /// failed in a worker.
  bool next(Batch& batch);
  /// Continues with batch `batch` (0 … batches()) of epoch `epoch`, exactly as if all before had been asked
  /// for.
  void seek(int64_t epoch, int64_t batch = 0);
  /// Where the next batch comes from; after the last batch of an epoch that is batch 0 of the next one. With
  /// these two numbers seek() takes a run up again.
  int64_t epoch() const;
  int64_t batch() const;
  /// Batches of one epoch.
  int64_t batches() const;
  const Dataset& dataset() const;
  const LoaderOptions& options() const;

  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Batch;
    using difference_type = std::ptrdiff_t;
    using pointer = Batch*;
    using reference = Batch&;
    Batch& operator*() { return batch_; }
    Iterator& operator++() {
      if (!loader_->next(batch_)) loader_ = nullptr;
      return *this;
    }
    bool operator==(std::default_sentinel_t) const { return loader_ == nullptr; }

   private:
    friend class Loader;
    explicit Iterator(Loader* loader) : loader_(loader) { ++*this; }
    Loader* loader_;
    Batch batch_;
  };
  Iterator begin();
  std::default_sentinel_t end() const { return {}; }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The order of n samples in an epoch: a permutation that depends on (seed, epoch, n) alone.
std::vector<int64_t> epoch_order(int64_t n, uint64_t seed, int64_t epoch);

/// What happens to sample `index` in an epoch; depends on its arguments alone.
struct AugmentChoice {
  bool flip = false;
  int64_t dx = 0, dy = 0;  ///< pixels to the right and down
};
AugmentChoice choose_augment(const Augment& augment, uint64_t seed, int64_t epoch, int64_t index);
/// Flips, then moves one picture (H,W,C).
void apply_augment(const AugmentChoice& choice, const uint8_t* from, uint8_t* to, int64_t height,
                   int64_t width, int64_t channels);

}  // namespace iskra::zoo
