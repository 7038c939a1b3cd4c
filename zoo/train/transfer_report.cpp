#include <iskra/zoo/train/transfer_report.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <iskra/kernels/check.h>
#include <iskra/zoo/train/chart.h>
#include <iskra/zoo/train/html.h>

namespace iskra::zoo {
namespace {

using html::escape;
using html::grouped;
using html::percent;

/// "+2.4" from 0.024: percentage points.
std::string points(double difference) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%+.1f", 100 * difference);
  std::string out = buffer;
  if (out[0] == '-') out.replace(0, 1, "−");
  return out;
}

/// "64.3 – 66.9 %"
std::string interval_text(const Interval& i) {
  if (!std::isfinite(i.low)) return "";
  char low[32];
  std::snprintf(low, sizeof low, "%.1f", 100 * i.low);
  return std::string(low) + " – " + percent(i.high);
}

std::string lead_text(const TransferRow& row) {
  if (row.reference) return "reference";
  std::string out = points(row.lead.value);
  if (std::isfinite(row.lead.low)) out += " (" + points(row.lead.low) + " … " + points(row.lead.high) + ")";
  return out;
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

std::string learning_rates(const TransferRow& row) {
  std::string out;
  for (double lr : row.learning_rates) {
    std::string one = html::number(lr, 3);
    if (out.find(one) == std::string::npos) out += (out.empty() ? "" : ", ") + one;
  }
  return out;
}

/// `path` below `out`, for a link; "" when it is elsewhere.
std::string below(const std::string& path, const std::string& out) {
  return path.compare(0, out.size() + 1, out + "/") == 0 ? path.substr(out.size() + 1) : "";
}

bool same_group(const TransferRow& a, const TransferRow& b) {
  return a.arch == b.arch && a.labels_per_class == b.labels_per_class;
}

std::string charts(const TransferResult& r) {
  double low = 1, high = 0;
  for (const TransferRow& row : r.rows) {
    for (double v : {row.accuracy.value, row.accuracy.low, row.accuracy.high}) {
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
    }
  }
  std::string out;
  for (size_t i = 0; i < r.rows.size();) {
    const TransferRow& first = r.rows[i];
    html::IntervalChart chart{
        .title = first.model + ", " + grouped(first.labels_per_class) + " labels a class",
        .low = low,
        .high = high};
    for (; i < r.rows.size() && same_group(r.rows[i], first); ++i) {
      const TransferRow& row = r.rows[i];
      chart.rows.push_back({row.way, row.accuracy.value, row.accuracy.low, row.accuracy.high, row.reference});
    }
    out += html::interval_chart(chart);
  }
  return out.empty() ? "" : "<div class=\"charts\">\n" + out + "</div>\n";
}

std::string table_row(const TransferRow& row, const std::string& out, bool rule, bool best) {
  std::string link = row.folders.empty() ? "" : below(row.folders[0], out);
  std::string way = escape(row.way);
  if (!link.empty()) way = "<a href=\"" + escape(link) + "/report.html\">" + way + "</a>";
  return "<tr" + std::string(rule ? " class=\"rule\"" : "") + "><td>" + escape(row.model) +
         "</td><td class=\"n\">" + grouped(row.labels_per_class) + "</td><th scope=\"row\">" + way +
         "</th><td class=\"n" + (best ? " best" : "") + "\">" + percent(row.accuracy.value) +
         "</td><td class=\"n\">" + interval_text(row.accuracy) + "</td><td class=\"n\">" + lead_text(row) +
         "</td><td class=\"n\">" + learning_rates(row) + "</td><td class=\"n\">" + grouped(row.steps) +
         "</td><td class=\"n\">" + grouped(row.trainable_parameters) + "</td></tr>\n";
}

std::string table(const TransferResult& r, const std::string& out) {
  if (r.rows.empty()) return "";
  std::string body =
      "<div class=\"scroll\"><table class=\"grid-table\"><thead><tr><th>model</th><th class=\"n\">labels a "
      "class</th>"
      "<th>way</th><th class=\"n\">test accuracy</th><th class=\"n\">95 % interval</th><th class=\"n\">lead, "
      "points</th>"
      "<th class=\"n\">learning rate</th><th class=\"n\">steps</th><th class=\"n\">trained "
      "parameters</th></tr></thead>\n"
      "<tbody>\n";
  for (size_t i = 0; i < r.rows.size(); ++i) {
    const TransferRow& row = r.rows[i];
    bool best = std::none_of(r.rows.begin(), r.rows.end(), [&](const TransferRow& other) {
      return same_group(row, other) && other.accuracy.value > row.accuracy.value;
    });
    body += table_row(row, out, i > 0 && !same_group(row, r.rows[i - 1]), best);
  }
  return body + "</tbody></table></div>\n";
}

std::string pretrained_table(const TransferResult& r, const std::string& out) {
  if (r.pretrained.empty()) return "";
  std::string body =
      "<div class=\"scroll\"><table class=\"grid-table\"><thead><tr><th>model</th><th "
      "class=\"n\">seed</th><th "
      "class=\"n\">steps</th><th class=\"n\">test accuracy</th><th class=\"n\">pictures a second</th><th "
      "class=\"n\">time</th></tr></thead>\n<tbody>\n";
  for (const TransferPretrained& p : r.pretrained) {
    std::string link = below(p.folder, out), name = escape(p.arch);
    if (!link.empty()) name = "<a href=\"" + escape(link) + "/report.html\">" + name + "</a>";
    body += "<tr><td>" + name + "</td><td class=\"n\">" + std::to_string(p.seed) + "</td><td class=\"n\">" +
            grouped(p.steps) + "</td><td class=\"n\">" + percent(p.test.accuracy) + "</td><td class=\"n\">" +
            html::number(p.images_per_s_median, 4) + "</td><td class=\"n\">" + html::duration(p.seconds) +
            "</td></tr>\n";
  }
  return body + "</tbody></table></div>\n";
}

std::string runs_table(const TransferResult& r) {
  if (r.runs.empty()) return "";
  std::string body =
      "<div class=\"scroll\"><table class=\"grid-table\"><thead><tr><th>model</th><th>strategy</th><th "
      "class=\"n\">labels"
      "</th><th class=\"n\">seed</th><th class=\"n\">learning rate</th><th class=\"n\">validation "
      "accuracy</th><th "
      "class=\"n\">validation loss</th><th class=\"n\">at step</th><th "
      "class=\"n\">time</th><th></th></tr></thead>\n"
      "<tbody>\n";
  for (const TransferRun& run : r.runs) {
    body += "<tr><td>" + escape(run.arch) + "</td><td>" + escape(run.strategy) + "</td><td class=\"n\">" +
            grouped(run.labels_per_class) + "</td><td class=\"n\">" + std::to_string(run.seed) +
            "</td><td class=\"n\">" + html::number(run.learning_rate, 3) + "</td><td class=\"n\">" +
            percent(run.best.accuracy) + "</td><td class=\"n\">" + html::number(run.best.loss, 3) +
            "</td><td class=\"n\">" + grouped(run.best.step) + "</td><td class=\"n\">" +
            html::duration(run.seconds) + "</td><td>" + (run.chosen ? "chosen" : "") + "</td></tr>\n";
  }
  return body + "</tbody></table></div>\n";
}

std::vector<html::Fact> facts(const TransferResult& r) {
  std::vector<html::Fact> list;
  for (size_t i = 0; i < r.rows.size(); ++i) {
    const TransferRow& row = r.rows[i];
    if (!row.reference) continue;
    const TransferRow* best = best_transfer(r, row.arch, row.labels_per_class);
    if (best == nullptr) continue;
    list.push_back(
        {row.model + ", " + grouped(row.labels_per_class) + " labels", points(best->lead.value) + " points",
         best->way + " " + percent(best->accuracy.value) + ", from scratch " + percent(row.accuracy.value)});
  }
  list.push_back({"time", html::duration(r.seconds), grouped(static_cast<int64_t>(r.runs.size())) + " runs"});
  return list;
}

JsonLine row_json(const TransferRow& row) {
  JsonLine line;
  line("arch", row.arch)("strategy", row.strategy)("labels_per_class", row.labels_per_class)(
      "steps", row.steps)("accuracy", row.accuracy.value)("accuracy_low", row.accuracy.low)(
      "accuracy_high", row.accuracy.high)("lead", row.lead.value)("lead_low", row.lead.low)(
      "lead_high", row.lead.high)("reference", row.reference)("accuracies", row.accuracies)(
      "validation_accuracies", row.validation_accuracies)("learning_rates", row.learning_rates)(
      "trainable_parameters", row.trainable_parameters)("test_pictures", row.test_pictures);
  return line;
}

}  // namespace

std::string interval_note(const TransferResult& result) {
  if (result.seeds.size() > 1) {
    return text("Means over ", result.seeds.size(),
                " seeds, each with its own pre-training, labels and initial weights; ",
                "intervals are Student's t over the seeds, 95 %.");
  }
  int64_t pictures = result.rows.empty() ? 0 : result.rows[0].test_pictures;
  return text("One seed. The 95 % intervals tell how well ", pictures,
              " test pictures measure these very weights ",
              "(Wilson's; for the lead, paired by picture), not how other seeds would do.");
}

const TransferRow* best_transfer(const TransferResult& result, const std::string& arch,
                                 int64_t labels_per_class) {
  const TransferRow* best = nullptr;
  for (const TransferRow& row : result.rows) {
    if (row.reference || row.arch != arch || row.labels_per_class != labels_per_class) continue;
    if (best == nullptr || row.accuracy.value > best->accuracy.value) best = &row;
  }
  return best;
}

std::string transfer_html(const TransferResult& r, const std::string& out) {
  std::string body = html::facts(facts(r));
  body += html::section("What transfer buys", interval_note(r), charts(r));
  body += html::section(
      "Every way, also where it loses",
      "The same labels and the same number of steps for all; learning rate and epoch chosen on " +
          grouped(r.validation_pictures) +
          " validation pictures; the test pictures were looked at once, with what was chosen.",
      table(r, out));
  body += html::section("Pre-training", "On " + joined(r.source_names) + ".", pretrained_table(r, out));
  body += html::section("All runs", "Every learning rate that was tried, with its best validation accuracy.",
                        runs_table(r));
  return html::page(
      "Fine-tuning with few labels",
      "Pre-trained on " + joined(r.source_names) + "; fine-tuned to " + joined(r.target_names) + ".", body);
}

JsonLine transfer_json(const TransferPretrained& p) {
  return JsonLine()("event", "pretrained")("arch", p.arch)("seed", p.seed)("steps", p.steps)(
      "accuracy", p.test.accuracy)("loss", p.test.loss)("images_per_s_median", p.images_per_s_median)(
      "seconds", p.seconds)("folder", p.folder);
}

JsonLine transfer_json(const TransferRun& run) {
  return JsonLine()("event", "run")("arch", run.arch)("strategy", run.strategy)(
      "labels_per_class", run.labels_per_class)("seed", run.seed)("steps", run.steps)(
      "learning_rate", run.learning_rate)("step", run.best.step)("validation_accuracy", run.best.accuracy)(
      "validation_loss", run.best.loss)("chosen", run.chosen)("images_per_s_median", run.images_per_s_median)(
      "seconds", run.seconds)("folder", run.folder);
}

JsonLine transfer_json(const TransferResult& r) {
  std::vector<JsonLine> rows;
  for (const TransferRow& row : r.rows) rows.push_back(row_json(row));
  return JsonLine()("event", "table")("source_classes", r.source_names)("target_classes", r.target_names)(
      "seeds", r.seeds)("validation_pictures", r.validation_pictures)(
      "interval", r.seeds.size() > 1 ? "student_t_of_seeds" : "wilson_of_test_pictures")("rows", rows)(
      "seconds", r.seconds);
}

}  // namespace iskra::zoo
