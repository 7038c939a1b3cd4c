// The files of one run: config.json, metrics.jsonl, checkpoints/, best.safetensors, last.safetensors,
// report.html.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/train/options.h>
#include <iskra/zoo/train/result.h>

namespace iskra::zoo {

/// metrics.jsonl, open for appending; locked, so that two processes cannot continue the same run.
class MetricsFile {
 public:
  /// Keeps the first `keep` bytes of what is there and drops the rest: what followed the checkpoint is made
  /// again.
  MetricsFile(const std::string& path, uint64_t keep);
  ~MetricsFile();
  MetricsFile(const MetricsFile&) = delete;
  MetricsFile& operator=(const MetricsFile&) = delete;
  void append(const std::string& line);
  /// Everything so far is on the disk; returns its length.
  uint64_t sync();

 private:
  [[noreturn]] void fail(const char* doing) const;
  std::string path_;
  int fd_ = -1;
  uint64_t bytes_ = 0;
};

class RunFolder {
 public:
  explicit RunFolder(std::string path) : path_(std::move(path)) {}

  const std::string& path() const { return path_; }
  std::string file(const char* name) const { return path_ + "/" + name; }
  std::string config() const { return file("config.json"); }
  std::string metrics() const { return file("metrics.jsonl"); }
  std::string checkpoints() const { return file("checkpoints"); }
  std::string best() const { return file("best.safetensors"); }
  std::string last() const { return file("last.safetensors"); }
  std::string report() const { return file("report.html"); }

  bool holds_run() const;
  /// Makes the folder and config.json. Throws when it cannot be written, or already holds a run.
  void create(const TrainOptions& options, const TrainResult& plan) const;
  /// Options of the run that is there; throws when there is none.
  TrainOptions options() const;

 private:
  std::string path_;
};

/// Options of a run to be continued.
TrainOptions read_run_options(const std::string& folder);

/// Puts the points of metrics.jsonl back into a result's curves.
void read_curves(const std::string& path, TrainResult& result);

JsonLine train_line(const TrainResult& run, const TrainPoint& point);
JsonLine eval_line(const TrainResult& run, const EvalPoint& point, bool best);
/// The summary of a run: the last line of metrics.jsonl and of the program's --json.
JsonLine result_line(const TrainResult& result);

}  // namespace iskra::zoo
