#include <iskra/zoo/train/run_folder.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <iskra/zoo/json.h>
#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/version.h>
#include <iskra/zoo/weights/checkpoint_files.h>
#include <iskra/zoo/weights/files.h>

namespace iskra::zoo {

MetricsFile::MetricsFile(const std::string& path, uint64_t keep) : path_(path), bytes_(keep) {
  fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) fail("open");
  try {
    ISKRA_CHECK(flock(fd_, LOCK_EX | LOCK_NB) == 0, path, ": another process is training in this folder");
    struct stat info{};
    if (fstat(fd_, &info) != 0) fail("stat");
    ISKRA_CHECK(static_cast<uint64_t>(info.st_size) >= keep, path, ": ", static_cast<int64_t>(info.st_size),
                " bytes, but its checkpoint was made after ", keep, "; it was shortened, start a new run");
    if (ftruncate(fd_, static_cast<off_t>(keep)) != 0) fail("truncate");
    if (lseek(fd_, 0, SEEK_END) < 0) fail("seek");
  } catch (...) {
    close(fd_);
    throw;
  }
}

MetricsFile::~MetricsFile() { close(fd_); }

void MetricsFile::fail(const char* doing) const {
  throw Error(text("cannot ", doing, " ", path_, ": ", std::strerror(errno)));
}

void MetricsFile::append(const std::string& line) {
  std::string bytes = line + "\n";
  for (size_t done = 0; done < bytes.size();) {
    ssize_t n = write(fd_, bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail("write");
    done += static_cast<size_t>(n);
  }
  bytes_ += bytes.size();
}

uint64_t MetricsFile::sync() {
  if (fsync(fd_) != 0) fail("sync");
  return bytes_;
}

bool RunFolder::holds_run() const {
  return file_exists(config()) || file_exists(metrics()) || file_exists(best()) || file_exists(last()) ||
         folder_exists(checkpoints());
}

void RunFolder::create(const TrainOptions& options, const TrainResult& plan) const {
  ISKRA_CHECK(!holds_run(), "out: ", path_,
              " already holds a run; continue it with --resume, or choose another --out");
  make_folders(path_);
  Json file;
  file["iskra"] = version();
  file["options"] = Json::parse(options_to_json(options));
  file["resolved"] = {{"arch", plan.arch},
                      {"classes", plan.class_names},
                      {"parameters", plan.parameters},
                      {"trainable_parameters", plan.trainable_parameters},
                      {"train_pictures", plan.train_pictures},
                      {"validation_pictures", plan.validation_pictures},
                      {"test_pictures", plan.test_pictures},
                      {"steps", plan.steps},
                      {"steps_per_epoch", plan.steps_per_epoch}};
  atomic_write(config(), file.dump(2) + "\n");
}

TrainOptions RunFolder::options() const {
  ISKRA_CHECK(file_exists(config()), "resume: ", path_, " holds no run (there is no config.json in it)");
  Json json = parse_json(read_file(config()), config());
  ISKRA_CHECK(json.is_object() && json.contains("options"), config(), ": there is no \"options\" in it");
  try {
    return options_from_json(json["options"].dump());
  } catch (const Error& e) {
    throw Error(text(config(), ": ", e.what()));
  }
}

TrainOptions read_run_options(const std::string& folder) { return RunFolder(folder).options(); }

void read_curves(const std::string& path, TrainResult& result) {
  std::string lines = read_file(path);
  for (size_t begin = 0; begin < lines.size();) {
    size_t end = std::min(lines.find('\n', begin), lines.size());
    Json line = parse_json(lines.substr(begin, end - begin), path);
    begin = end + 1;
    try {
      EvalPoint point{.step = line.at("step"),
                      .epoch = line.at("epoch"),
                      .loss = line.at("loss"),
                      .accuracy = line.at("accuracy")};
      if (line.at("event") == "eval") {
        result.validation_curve.push_back(point);
      } else {
        result.train_curve.push_back({.step = point.step,
                                      .epoch = point.epoch,
                                      .loss = point.loss,
                                      .accuracy = point.accuracy,
                                      .learning_rate = line.at("learning_rate"),
                                      .images_per_s = line.at("images_per_s_median")});
      }
    } catch (const Json::exception&) {
      throw Error(text(path, ": a line is no metric: ", line.dump()));
    }
  }
}

JsonLine train_line(const TrainResult& run, const TrainPoint& point) {
  return JsonLine()("event", "train")("arch", run.arch)("device", run.device)("precision", run.precision)(
      "batch", run.batch)("step", point.step)("epoch", point.epoch)("loss", point.loss)(
      "accuracy", point.accuracy)("learning_rate", point.learning_rate)(
      "images_per_s_median", point.images_per_s)("peak_memory_bytes", run.peak_memory_bytes);
}

JsonLine eval_line(const TrainResult& run, const EvalPoint& point, bool best) {
  return JsonLine()("event", "eval")("arch", run.arch)("device", run.device)("precision", run.precision)(
      "step", point.step)("epoch", point.epoch)("loss", point.loss)("accuracy", point.accuracy)("best", best);
}

JsonLine result_line(const TrainResult& r) {
  JsonLine line;
  line("event", "result")("arch", r.arch)("strategy", r.strategy)("device", r.device)(
      "precision", r.precision)("batch", r.batch)("step", r.stopped_at)("steps", r.steps)(
      "interrupted", r.interrupted)("parameters", r.parameters)(
      "trainable_parameters", r.trainable_parameters)("classes", r.class_names)(
      "train_pictures", r.train_pictures)("validation_pictures", r.validation_pictures)("test_pictures",
                                                                                        r.test_pictures);
  if (!r.validation_curve.empty()) {
    line("best_step", r.best.step)("validation_loss", r.best.loss)("validation_accuracy", r.best.accuracy);
  }
  if (r.test.count > 0) line("loss", r.test.loss)("accuracy", r.test.accuracy);
  return line("images_per_s_median", r.throughput.images_per_s_median)(
      "images_per_s_best", r.throughput.images_per_s_best)("seconds_median", r.throughput.seconds_median)(
      "peak_memory_bytes", r.peak_memory_bytes)("seconds", r.seconds)("out", r.folder)("best_weights",
                                                                                       r.best_weights);
}

}  // namespace iskra::zoo
