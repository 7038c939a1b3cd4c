#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tuple>

#include <iskra/zoo/train/chart.h>
#include <iskra/zoo/train/html.h>
#include <iskra/zoo/train/png.h>
#include <iskra/zoo/train/report.h>

namespace iskra::zoo {
namespace {

using html::escape;
using html::grouped;
using html::percent;

constexpr int64_t kMostMatrixClasses = 40;
constexpr size_t kMostConfusions = 30, kMostMistakes = 60;
constexpr int64_t kPixelated = 96;  // smaller pictures are shown as pixels

std::string name_of_class(const std::vector<std::string>& names, int64_t label) {
  bool known = label >= 0 && label < static_cast<int64_t>(names.size());
  return known ? names[static_cast<size_t>(label)] : "class " + std::to_string(label);
}

/// Counts of one evaluation by label and prediction.
struct Matrix {
  explicit Matrix(const Evaluation& e) : e_(e), n(e.classes()) {}
  int64_t operator()(int64_t label, int64_t predicted) const {
    return e_.confusion[static_cast<size_t>(label * n + predicted)];
  }
  int64_t row(int64_t label) const {
    int64_t sum = 0;
    for (int64_t p = 0; p < n; ++p) sum += (*this)(label, p);
    return sum;
  }
  int64_t column(int64_t predicted) const {
    int64_t sum = 0;
    for (int64_t l = 0; l < n; ++l) sum += (*this)(l, predicted);
    return sum;
  }

 private:
  const Evaluation& e_;

 public:
  int64_t n;
};

bool has_counts(const Evaluation& e) {
  return e.count > 0 && e.classes() > 0 &&
         static_cast<int64_t>(e.confusion.size()) == e.classes() * e.classes();
}

std::string matrix_cell(const Matrix& m, const Evaluation& e, int64_t label, int64_t predicted, int64_t row) {
  int64_t count = m(label, predicted);
  double share = row > 0 ? static_cast<double>(count) / static_cast<double>(row) : 0;
  std::string style = count == 0 ? "zero" : share > 0.55 ? "deep" : "";
  if (label == predicted) style += style.empty() ? "hit-cell" : " hit-cell";
  char tone[16];
  std::snprintf(tone, sizeof tone, "%.2f", count == 0 ? 0 : 0.06 + 0.9 * share);
  std::string hover = name_of_class(e.class_names, label) + " taken for " +
                      name_of_class(e.class_names, predicted) + ": " + std::to_string(count) + " (" +
                      percent(share) + ")";
  if (label == predicted) {
    hover = name_of_class(e.class_names, label) + " recognised: " + std::to_string(count) + " (" +
            percent(share) + ")";
  }
  return "<td" + (style.empty() ? "" : " class=\"" + style + "\"") + " style=\"--a:" + tone + "\" title=\"" +
         escape(hover) + "\">" + (count == 0 ? "·" : grouped(count)) + "</td>";
}

/// A name beside the matrix: long ones are cut off and shown whole on hover.
std::string heading(const char* scope, const std::string& name) {
  return std::string("<th scope=\"") + scope + "\" title=\"" + escape(name) + "\"><span>" + escape(name) +
         "</span></th>";
}

/// Too many classes for a matrix: the most frequent confusions as a list.
std::string frequent_confusions(const Evaluation& e) {
  Matrix m(e);
  struct Entry {
    int64_t count, label, predicted;
  };
  std::vector<Entry> all;
  for (int64_t l = 0; l < m.n; ++l) {
    for (int64_t p = 0; p < m.n; ++p) {
      if (l != p && m(l, p) > 0) all.push_back({m(l, p), l, p});
    }
  }
  std::sort(all.begin(), all.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(-a.count, a.label, a.predicted) < std::tuple(-b.count, b.label, b.predicted);
  });
  if (all.size() > kMostConfusions) all.resize(kMostConfusions);
  std::string out =
      "<div class=\"scroll\"><table class=\"grid-table\"><thead><tr><th>label</th><th>taken for</th>"
      "<th class=\"n\">pictures</th></tr></thead>\n<tbody>\n";
  for (const Entry& c : all) {
    out += "<tr><td>" + escape(name_of_class(e.class_names, c.label)) + "</td><td>" +
           escape(name_of_class(e.class_names, c.predicted)) + "</td><td class=\"n\">" + grouped(c.count) +
           "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string figures(const TrainResult& r) {
  std::vector<html::Fact> list;
  if (r.test.count > 0) {
    list.push_back({"test accuracy", percent(r.test.accuracy, 2), grouped(r.test.count) + " pictures"});
  }
  if (r.validation.count > 0) {
    list.push_back(
        {"validation accuracy", percent(r.validation.accuracy, 2),
         "best, at step " + grouped(r.best.step) + ", " + grouped(r.validation.count) + " pictures"});
  }
  if (r.throughput.images_per_s_median > 0) {
    list.push_back({"pictures a second", grouped(std::llround(r.throughput.images_per_s_median)),
                    "median; best " + grouped(std::llround(r.throughput.images_per_s_best))});
  }
  if (r.peak_memory_bytes > 0) {
    list.push_back({"peak memory", html::bytes(static_cast<double>(r.peak_memory_bytes)), "of tensors"});
  }
  list.push_back(
      {"time", html::duration(r.seconds), grouped(r.stopped_at) + " of " + grouped(r.steps) + " steps"});
  list.push_back({"parameters", grouped(r.parameters), grouped(r.trainable_parameters) + " trained"});
  return html::facts(list);
}

template <class Points, class Value>
html::Series series(const char* name, const Points& points, Value value) {
  html::Series out{name, {}};
  for (const auto& p : points) out.points.push_back({static_cast<double>(p.step), value(p)});
  return out;
}

std::string curves(const TrainResult& r) {
  auto loss = [](const auto& p) { return p.loss; };
  auto accuracy = [](const auto& p) { return p.accuracy; };
  std::string out;
  out += html::line_chart(
      {.title = "Loss",
       .x_name = "step",
       .series = {series("training", r.train_curve, loss), series("validation", r.validation_curve, loss)}});
  out += html::line_chart({.title = "Accuracy",
                           .x_name = "step",
                           .series = {series("training", r.train_curve, accuracy),
                                      series("validation", r.validation_curve, accuracy)},
                           .percent = true});
  out += html::line_chart({.title = "Learning rate",
                           .x_name = "step",
                           .series = {series("learning rate", r.train_curve,
                                             [](const TrainPoint& p) { return p.learning_rate; })}});
  std::vector<TrainPoint> timed;
  for (const TrainPoint& p : r.train_curve) {
    if (p.images_per_s > 0) timed.push_back(p);
  }
  out += html::line_chart(
      {.title = "Speed, pictures a second",
       .x_name = "step",
       .series = {series("pictures a second", timed, [](const TrainPoint& p) { return p.images_per_s; })}});
  return out.empty() ? "" : "<div class=\"charts\">\n" + out + "</div>\n";
}

std::string subtitle(const TrainResult& r) {
  std::string out = r.strategy + " · " + r.device + " · " + r.precision + " · " + grouped(r.train_pictures) +
                    " training pictures, " + grouped(static_cast<int64_t>(r.class_names.size())) + " classes";
  if (r.interrupted) out += " · stopped at step " + grouped(r.stopped_at) + "; --resume continues it";
  return out;
}

std::string mistake_figure(const Mistake& m, const std::vector<std::string>& names) {
  const Prediction& p = m.prediction;
  std::string label = name_of_class(names, p.label), predicted = name_of_class(names, p.predicted);
  bool smooth = std::max(m.picture.height, m.picture.width) > kPixelated;
  return "<figure><img" + std::string(smooth ? " class=\"smooth\"" : "") + " alt=\"" +
         escape(label + " taken for " + predicted) + "\" title=\"picture " + std::to_string(p.index) +
         "\" src=\"data:image/png;base64," + base64(encode_png(m.picture)) + "\">\n<figcaption>" +
         escape(label) + " <span>" + percent(p.label_probability) + "</span><br><b>→ " + escape(predicted) +
         "</b> <span>" + percent(p.probability) + "</span></figcaption></figure>\n";
}

}  // namespace

std::string confusion_html(const Evaluation& e) {
  if (!has_counts(e)) return "";
  if (e.classes() > kMostMatrixClasses) return frequent_confusions(e);
  Matrix m(e);
  std::string out = "<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th>label ↓ prediction →</th>";
  for (int64_t p = 0; p < m.n; ++p) {
    out += heading("col", name_of_class(e.class_names, p));
  }
  out += "</tr></thead>\n<tbody>\n";
  for (int64_t l = 0; l < m.n; ++l) {
    int64_t row = m.row(l);
    out += "<tr>" + heading("row", name_of_class(e.class_names, l));
    for (int64_t p = 0; p < m.n; ++p) out += matrix_cell(m, e, l, p, row);
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string class_table_html(const Evaluation& e) {
  if (!has_counts(e)) return "";
  Matrix m(e);
  std::string out =
      "<div class=\"scroll\"><table class=\"grid-table\"><thead><tr><th>class</th><th "
      "class=\"n\">pictures</th>"
      "<th class=\"n\">recall</th><th></th><th class=\"n\">precision</th><th>most often taken "
      "for</th></tr></thead>\n"
      "<tbody>\n";
  for (int64_t l = 0; l < m.n; ++l) {
    int64_t row = m.row(l), column = m.column(l), worst = -1;
    for (int64_t p = 0; p < m.n; ++p) {
      if (p != l && m(l, p) > 0 && (worst < 0 || m(l, p) > m(l, worst))) worst = p;
    }
    double recall = row > 0 ? static_cast<double>(m(l, l)) / static_cast<double>(row) : NAN;
    double precision = column > 0 ? static_cast<double>(m(l, l)) / static_cast<double>(column) : NAN;
    char width[16];
    std::snprintf(width, sizeof width, "%.1f%%", row > 0 ? 100 * recall : 0);
    out +=
        "<tr><th scope=\"row\">" + escape(name_of_class(e.class_names, l)) + "</th><td class=\"n\">" +
        grouped(row) + "</td><td class=\"n\">" + percent(recall) +
        "</td><td><span class=\"bar\"><i style=\"width:" + width + "\"></i></span></td><td class=\"n\">" +
        percent(precision) + "</td><td>" +
        (worst < 0 ? "–" : escape(name_of_class(e.class_names, worst)) + " (" + grouped(m(l, worst)) + ")") +
        "</td></tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

std::string mistakes_html(const std::vector<Mistake>& mistakes, const std::vector<std::string>& class_names) {
  if (mistakes.empty()) return "";
  std::string out = "<div class=\"mistakes\">\n";
  for (size_t i = 0; i < mistakes.size() && i < kMostMistakes; ++i)
    out += mistake_figure(mistakes[i], class_names);
  return out + "</div>\n";
}

std::string report_html(const TrainResult& r) {
  const Evaluation& e = r.test.count > 0 ? r.test : r.validation;
  std::string split = std::string(r.test.count > 0 ? "Test" : "Validation") + " split, " + grouped(e.count) +
                      " pictures, weights of the best validation accuracy.";
  std::vector<html::Pair> config;
  for (const auto& [key, value] : r.config) config.push_back({key, value});
  std::vector<html::Pair> counts = {
      {"training pictures", grouped(r.train_pictures)},
      {"validation pictures", grouped(r.validation_pictures)},
      {"test pictures", grouped(r.test_pictures)},
      {"batch", grouped(r.batch)},
      {"steps an epoch", grouped(r.steps_per_epoch)},
      {"seconds a step, median", html::number(r.throughput.seconds_median, 3)},
      {"pictures a second, median", html::number(r.throughput.images_per_s_median, 4)},
      {"pictures a second, best", html::number(r.throughput.images_per_s_best, 4)},
      {"peak memory", html::bytes(static_cast<double>(r.peak_memory_bytes))},
      {"time", html::duration(r.seconds)}};
  std::string body = figures(r);
  body += html::section("Curves", "", curves(r));
  std::string matrix = confusion_html(e);
  if (!matrix.empty()) matrix = "<div class=\"beside\">\n" + matrix + class_table_html(e) + "</div>\n";
  body += html::section("Classes", split + " The tone of a cell is its share of the row.", matrix);
  body += html::section("Mistakes",
                        "The label and what it was taken for, each with the probability that the model gave "
                        "it; the surest first.",
                        mistakes_html(r.mistakes, r.class_names));
  body +=
      html::section("Speed and memory", "Training steps alone: evaluations and checkpoints are not counted.",
                    html::pairs(counts));
  body += html::section("Options", "All that the run was told, defaults included.", html::pairs(config));
  return html::page(r.arch + ": training report", subtitle(r), body);
}

}  // namespace iskra::zoo
