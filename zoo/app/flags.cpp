#include <iskra/zoo/app/flags.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>

#include <iskra/kernels/check.h>
#include <iskra/zoo/suggest.h>
#include <iskra/zoo/train/json_line.h>

namespace iskra::zoo {

namespace {

/// Factor of a number's suffix; 0 when there is no such suffix.
double suffix_factor(std::string_view suffix) {
  if (suffix.empty()) return 1;
  static constexpr std::string_view kLetters = "kMG";
  size_t power = suffix[0] == 'K' ? 0 : kLetters.find(suffix[0]);
  if (power == std::string_view::npos) return 0;
  if (suffix.size() == 1) return std::pow(1000.0, static_cast<double>(power + 1));
  return suffix.substr(1) == "i" ? std::pow(1024.0, static_cast<double>(power + 1)) : 0;
}

std::string range_text(double low, double high) {
  return "; it must lie in " + json_number(low) + " … " + json_number(high);
}

std::vector<std::string> split(const std::string& list, char by) {
  std::vector<std::string> out;
  size_t begin = 0;
  while (begin <= list.size()) {
    size_t end = std::min(list.find(by, begin), list.size());
    out.push_back(list.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

}  // namespace

double parse_real(const std::string& flag, const std::string& given, double low, double high) {
  double value = 0;
  const char* end = given.data() + given.size();
  auto [at, error] = std::from_chars(given.data(), end, value);
  double factor =
      error != std::errc::invalid_argument ? suffix_factor({at, static_cast<size_t>(end - at)}) : 0;
  if (error == std::errc::invalid_argument || factor == 0 || std::isnan(value)) {
    throw UsageError(flag + ": '" + given + "' is no number" + range_text(low, high));
  }
  if (error == std::errc::result_out_of_range || value * factor < low || value * factor > high) {
    throw UsageError(flag + ": " + given + " is out of range" + range_text(low, high));
  }
  return value * factor;
}

int64_t parse_integer(const std::string& flag, const std::string& given, double low, double high) {
  double value = parse_real(flag, given, low, high);
  if (value != std::floor(value))
    throw UsageError(flag + ": " + given + " is no whole number" + range_text(low, high));
  return static_cast<int64_t>(value);
}

struct Flags::Impl {
  CLI::App app;
  std::string command;
  std::map<std::string, CLI::Option*> options;  // by their name in the code
  std::vector<std::string> flags;               // as typed
  std::vector<std::string> required;

  Impl(const std::string& name, const std::string& summary) : app(summary, "iskra " + name), command(name) {
    app.allow_extras();
    app.set_help_flag("-h,--help", "this text");
    flags = {"--help"};
    app.get_formatter()->column_width(34);
  }

  void add(const std::string& name, const std::string& help, const std::string& type,
           const std::string& shown, const std::function<void(const std::string&)>& set) {
    std::string flag = flag_name(name);
    CLI::Option* option = app.add_option_function<std::string>(flag, set, help);
    option->option_text(type + (shown.empty() ? "" : " [" + shown + "]"));
    options[name] = option;
    flags.push_back(flag);
  }
};

Flags::Flags(const std::string& command, const std::string& summary)
    : impl_(std::make_unique<Impl>(command, summary)) {}

Flags::~Flags() = default;

std::string Flags::flag_name(const std::string& name) {
  std::string flag = "--" + name;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

void Flags::add(const std::string& name, std::string& value, const std::string& help,
                const std::string& choices) {
  impl_->add(name, help, choices.empty() ? "TEXT" : choices, value,
             [name, &value, choices](const std::string& v) {
               std::vector<std::string> allowed = split(choices, '|');
               if (!choices.empty() && std::find(allowed.begin(), allowed.end(), v) == allowed.end()) {
                 throw UsageError(flag_name(name) + ": '" + v + "' is unknown; choose one of " + choices +
                                  did_you_mean(v, allowed));
               }
               value = v;
             });
}

void Flags::add(const std::string& name, int64_t& value, const std::string& help, double low, double high) {
  impl_->add(name, help, "N", std::to_string(value), [name, &value, low, high](const std::string& v) {
    value = parse_integer(flag_name(name), v, low, high);
  });
}

void Flags::add(const std::string& name, double& value, const std::string& help, double low, double high) {
  impl_->add(name, help, "X", json_number(value), [name, &value, low, high](const std::string& v) {
    value = parse_real(flag_name(name), v, low, high);
  });
}

void Flags::add(const std::string& name, bool& value, const std::string& help) {
  std::string flag = flag_name(name);
  impl_->options[name] =
      impl_->app.add_flag_function(flag, [&value](int64_t count) { value = count > 0; }, help);
  impl_->flags.push_back(flag);
}

void Flags::add(const std::string& name, std::vector<int64_t>& values, const std::string& help, double low,
                double high) {
  impl_->add(name, help, "N,N,...", "", [name, &values, low, high](const std::string& list) {
    values.clear();
    for (const std::string& v : split(list, ','))
      values.push_back(parse_integer(flag_name(name), v, low, high));
  });
}

void Flags::add_argument(const std::string& name, std::string& value, const std::string& help) {
  impl_->options[name] = impl_->app.add_option(name, value, help)->option_text(" ");
  impl_->required.push_back(name);
}

void Flags::require(const std::string& name) {
  impl_->required.push_back(name);
  CLI::Option* option = impl_->options.at(name);
  option->description(option->get_description() + " (required)");
}

void Flags::footer(const std::string& text) { impl_->app.footer(text); }

bool Flags::parse(const std::vector<std::string>& arguments) {
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    impl_->app.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    std::fputs(impl_->app.help().c_str(), stdout);
    return false;
  } catch (const CLI::ArgumentMismatch& e) {
    std::string what = e.what();
    throw UsageError(what.substr(0, what.find(':')) + " needs one value");
  } catch (const CLI::ParseError& e) {
    std::string what = e.what();
    throw UsageError(what.substr(0, what.find('\n')));
  }
  for (const std::string& extra : impl_->app.remaining()) {
    if (extra.size() > 1 && extra[0] == '-') {
      std::string flag = extra.substr(0, extra.find('='));
      throw UsageError("unknown flag '" + flag + "'" + did_you_mean(flag, impl_->flags));
    }
    throw UsageError("unexpected argument '" + extra + "'");
  }
  for (const std::string& name : impl_->required) {
    bool positional =
        std::find(impl_->flags.begin(), impl_->flags.end(), flag_name(name)) == impl_->flags.end();
    if (!given(name)) throw UsageError((positional ? name : flag_name(name)) + " is missing");
  }
  return true;
}

bool Flags::given(const std::string& name) const { return impl_->options.at(name)->count() > 0; }

}  // namespace iskra::zoo
