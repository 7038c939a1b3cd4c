#include <iskra/zoo/train/train_state.h>

#include <iskra/zoo/json.h>
#include <iskra/zoo/train/json_line.h>

namespace iskra::zoo {

namespace {

/// One list for both directions. Doubles are written with the digits that read back as the same bits.
template <class State, class F>
void visit_state(State& s, F&& f) {
  f("step", s.step);
  f("epoch", s.epoch);
  f("batch", s.batch);
  f("train_pictures", s.train_pictures);
  f("has_best", s.has_best);
  f("best_step", s.best.step);
  f("best_epoch", s.best.epoch);
  f("best_loss", s.best.loss);
  f("best_accuracy", s.best.accuracy);
  f("window_loss", s.window.loss);
  f("window_correct", s.window.correct);
  f("window_pictures", s.window.pictures);
  f("window_steps", s.window.steps);
  f("metrics_bytes", s.metrics_bytes);
  f("seconds", s.seconds);
}

}  // namespace

std::string TrainState::to_json() const {
  JsonLine line;
  visit_state(*this, [&](const char* name, const auto& value) { line(name, value); });
  return line.str();
}

TrainState TrainState::from_json(const std::string& text_of_state, const std::string& path) {
  Json json = parse_json(text_of_state, path);
  TrainState state;
  visit_state(state, [&](const char* name, auto& value) {
    try {
      json.at(name).get_to(value);
    } catch (const Json::exception&) {
      throw Error(text(path, ": state.json lacks a valid '", name, "'; it was written by another version"));
    }
  });
  return state;
}

}  // namespace iskra::zoo
