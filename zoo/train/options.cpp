#include <iskra/zoo/train/options.h>

#include <cmath>
#include <cstring>
#include <set>

#include <iskra/core/device.h>
#include <iskra/kernels/check.h>
#include <iskra/zoo/json.h>
#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/train/strategy.h>

namespace iskra::zoo {

namespace {

std::string show(const std::string& v) { return v; }
std::string show(int64_t v) { return std::to_string(v); }
std::string show(double v) { return json_number(v); }
std::string show(bool v) { return v ? "true" : "false"; }
std::string show(const std::vector<int64_t>& v) {
  std::string out;
  for (int64_t x : v) (out += out.empty() ? "" : ",") += std::to_string(x);
  return out;
}

bool is_choice(const std::string& value, const char* choices) {
  return !value.empty() && value.find('|') == std::string::npos &&
         text("|", choices, "|").find(text("|", value, "|")) != std::string::npos;
}

void check_value(const std::string& value, const OptionInfo& info) {
  ISKRA_CHECK(!*info.choices || is_choice(value, info.choices), info.name, ": '", value,
              "' is unknown; choose one of ", info.choices);
}

template <class T>
  requires std::is_arithmetic_v<T>
void check_value(T value, const OptionInfo& info) {
  if constexpr (!std::is_same_v<T, bool>) {
    auto v = static_cast<double>(value);
    ISKRA_CHECK(v >= info.low && v <= info.high, info.name, ": ", show(value), " lies outside ",
                json_number(info.low), " … ", json_number(info.high));
  }
}

void check_value(const std::vector<int64_t>& values, const OptionInfo& info) {
  for (int64_t v : values) check_value(v, info);
}

}  // namespace

void check_options(const TrainOptions& o) {
  visit_options(o, [](const auto& value, const OptionInfo& info) { check_value(value, info); });
  ISKRA_CHECK(o.epochs == 0 || o.steps == 0, "epochs ", o.epochs, " and steps ", o.steps,
              ": both say how long to train; give one of them");
  ISKRA_CHECK(o.lr > 0, "lr: ", json_number(o.lr), " trains nothing; it must be above 0");
  ISKRA_CHECK(o.final_lr <= o.lr, "final_lr ", json_number(o.final_lr), " is above lr ", json_number(o.lr));
  ISKRA_CHECK(o.precision == "fp32", "precision: '", o.precision, "' is not in this build; use fp32");
  const Device device = Device::parse(o.device);
  ISKRA_CHECK(!o.graph || device.is_cuda(), "graph: steps become graphs on a CUDA device; the device is ",
              device, ", give --device cuda too");
  ISKRA_CHECK(!o.graph || !o.sync, "graph and sync: a graph cannot wait for its ops; give one of them");
  ISKRA_CHECK(o.classes.size() != 1, "classes: one class (", show(o.classes),
              ") cannot be told from others; give two or more");
  ISKRA_CHECK(std::set<int64_t>(o.classes.begin(), o.classes.end()).size() == o.classes.size(),
              "classes: ", show(o.classes), " names a label twice");
  Strategy strategy = parse_strategy(o.strategy);
  ISKRA_CHECK(strategy.kind == Strategy::scratch || !o.weights.empty(), "strategy: '", o.strategy,
              "' starts from weights; give --weights FILE, or strategy scratch");
  ISKRA_CHECK(!o.data.empty(), "data: no folder given");
}

std::string options_to_json(const TrainOptions& options) {
  JsonLine line;
  visit_options(options, [&](const auto& value, const OptionInfo& info) { line(info.name, value); });
  return line.str();
}

TrainOptions options_from_json(const std::string& json) {
  Json object = parse_json(json, "options");
  ISKRA_CHECK(object.is_object(), "options: not a JSON object");
  TrainOptions options;
  visit_options(options, [&](auto& value, const OptionInfo& info) {
    auto at = object.find(info.name);
    if (at == object.end()) return;
    try {
      value = at->get<std::remove_reference_t<decltype(value)>>();
    } catch (const Json::exception&) {
      throw Error(text("options: '", info.name, "' has the wrong type: ", at->dump()));
    }
    object.erase(at);
  });
  ISKRA_CHECK(object.empty(), "options: '", object.empty() ? "" : object.begin().key(), "' is unknown");
  return options;
}

std::vector<std::pair<std::string, std::string>> options_as_text(const TrainOptions& options) {
  std::vector<std::pair<std::string, std::string>> out;
  visit_options(options,
                [&](const auto& value, const OptionInfo& info) { out.emplace_back(info.name, show(value)); });
  return out;
}

void check_same_options(const TrainOptions& run, const TrainOptions& now) {
  auto before = options_as_text(run), after = options_as_text(now);
  std::string differing;
  size_t i = 0;
  visit_options(run, [&](const auto&, const OptionInfo& info) {
    auto quoted = [](const std::string& v) { return v.empty() ? std::string("(none)") : v; };
    if (!info.free_at_resume && before[i].second != after[i].second) {
      differing += text(differing.empty() ? "" : ", ", info.name, " (run: ", quoted(before[i].second),
                        ", now: ", quoted(after[i].second), ")");
    }
    ++i;
  });
  ISKRA_CHECK(differing.empty(), "resume: the run in ", run.out, " has other options: ", differing,
              "; leave these flags out to continue it, or choose another --out");
}

}  // namespace iskra::zoo
