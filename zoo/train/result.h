// What training and evaluation give back: plain values, for reports, tables and tests.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace iskra::zoo {

/// A picture as bytes, (height, width, channels) in memory.
struct Picture {
  int64_t height = 0, width = 0, channels = 0;
  std::vector<uint8_t> pixels;
};

/// What the model said about one picture of a dataset.
struct Prediction {
  int64_t index = 0;  ///< place in the dataset
  int64_t label = 0, predicted = 0;
  double probability = 0;        ///< of `predicted`
  double label_probability = 0;  ///< of `label`
};

/// A wrong prediction with its picture.
struct Mistake {
  Prediction prediction;
  Picture picture;
};

/// One pass over a dataset.
struct Evaluation {
  int64_t count = 0;
  double loss = 0;      ///< mean cross-entropy, without label smoothing
  double accuracy = 0;  ///< in [0,1]
  std::vector<std::string> class_names;
  std::vector<int64_t> confusion;       ///< (classes, classes): row is the label, column the prediction
  std::vector<Prediction> predictions;  ///< one a picture, in the dataset's order

  int64_t classes() const { return static_cast<int64_t>(class_names.size()); }
  /// Correct share of the pictures of one class; NaN when there are none.
  double class_accuracy(int64_t label) const;
};

/// Means over the steps since the point before.
struct TrainPoint {
  int64_t step = 0;  ///< updates made so far
  double epoch = 0;  ///< pictures seen / pictures in the training set
  double loss = 0, accuracy = 0, learning_rate = 0;
  double images_per_s = 0;  ///< median over these steps; 0 without a measurement
};

/// One evaluation on the validation split.
struct EvalPoint {
  int64_t step = 0;
  double epoch = 0, loss = 0, accuracy = 0;
};

/// Speed of training steps; evaluation and checkpoints are not counted.
struct Throughput {
  double images_per_s_median = 0, images_per_s_best = 0, seconds_median = 0;  ///< seconds: one step
};

struct TrainResult {
  std::string arch, strategy, device, precision;
  int64_t parameters = 0, trainable_parameters = 0;
  int64_t train_pictures = 0, validation_pictures = 0, test_pictures = 0;
  int64_t batch = 0, steps = 0, steps_per_epoch = 0;  ///< steps: planned, of the whole run
  std::vector<std::string> class_names;

  std::vector<TrainPoint> train_curve;      ///< every `log_every` steps
  std::vector<EvalPoint> validation_curve;  ///< every evaluation
  EvalPoint best;                 ///< highest validation accuracy; the earliest when several are equal
  Evaluation validation;          ///< of the best weights
  Evaluation test;                ///< of the best weights; count 0 when the data has no test split
  std::vector<Mistake> mistakes;  ///< most confident first, from the test split (else validation)
  Throughput throughput;
  int64_t peak_memory_bytes = 0;
  double seconds = 0;        ///< wall time, evaluations and earlier parts of a resumed run included
  bool interrupted = false;  ///< stopped by request: a checkpoint holds the state, `test` is empty
  int64_t stopped_at = 0;    ///< step where it stopped (== steps when finished)
  std::string folder;        ///< the run's folder; "" when nothing was written
  std::string best_weights;  ///< file; "" when nothing was written
  std::vector<std::pair<std::string, std::string>> config;  ///< every option as text, for people
};

}  // namespace iskra::zoo
