#include "serve.h"

#include <istream>
#include <map>
#include <memory>
#include <ostream>
#include <string>

#include <iskra/kernels/isa.h>

#include "onednn_direct.h"
#include "peaks.h"
#include "row_bench.h"
#include "timing.h"

namespace iskra::bench {

namespace {

using testing::Json;
using testing::OpCase;

Json describe(const OpCase& row) {
  Json json = row.json();
  json["family"] = row.op->family;
  json["step"] = differentiable(row);
  for (size_t i = 0; i < row.inputs.size(); ++i) {
    json["inputs"][i]["channels_last"] = row.inputs[i].layout == Layout::channels_last;
  }
  for (DType dtype : bench_dtypes(row)) json["dtypes"].push_back(name_of(dtype));
  return json;
}

Json all_rows() {
  Json rows = Json::array();
  for (const OpCase& row : testing::op_benches()) rows.push_back(describe(row));
  return {{"rows", rows}, {"threads", thread_budget()}, {"isa", kernels::name_of(kernels::isa())}};
}

struct Ready {
  std::function<void()> run;  ///< empty when there is nothing to measure
  Work work;
};

Ready ready(const Json& at) {
  const DType dtype = testing::dtype_named(at["dtype"].get<std::string>());
  const bool step = at["mode"] == "step";
  const auto name = at["row"].get<std::string>();
  for (const OpCase& row : testing::op_benches()) {
    if (row.key() != name) continue;
    if (at["side"] == "onednn") return {onednn_direct(row, dtype, step), {}};
    auto bench = std::make_shared<RowBench>(row, dtype, step);
    return {[bench] { bench->run(); }, bench->work()};
  }
  throw Error(text("no benchmark row is called ", name));
}

class Server {
 public:
  Json answer(const Json& at) {
    if (at.contains("rows")) return all_rows();
    if (at.contains("peak")) {
      bool copy = at["peak"] == "copy";
      return {{"per_s", copy ? copy_rate(at["bytes"].get<double>())
                             : product_rate(testing::dtype_named(at["dtype"].get<std::string>()))}};
    }
    return timed(at);
  }

 private:
  /// A row's sides stay ready until another row comes: its turns are taken in between.
  Json timed(const Json& at) {
    Json what = at;
    what.erase("seconds");
    what.erase("side");
    if (what != row_) ready_.clear();
    row_ = what;
    auto [found, fresh] = ready_.try_emplace(at["side"].get<std::string>());
    if (fresh) found->second = ready(at);
    if (!found->second.run) return Json::object();
    const Seconds seconds = seconds_of(found->second.run, at["seconds"].get<double>());
    return {{"seconds_median", seconds.median},
            {"seconds_best", seconds.best},
            {"samples", seconds.samples},
            {"flops", found->second.work.flops},
            {"bytes", found->second.work.bytes}};
  }

  Json row_;
  std::map<std::string, Ready> ready_;
};

}  // namespace

void serve(std::istream& in, std::ostream& out) {
  Server server;
  for (std::string line; std::getline(in, line);) {
    Json answer;
    try {
      answer = server.answer(Json::parse(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    out << answer.dump() << std::endl;
  }
}

}  // namespace iskra::bench
