// Options of a run: one list for flags, files, checks and the comparison at --resume.
#include <iskra/zoo/train/json_line.h>
#include <iskra/zoo/train/options.h>
#include <iskra/zoo/train/strategy.h>

#include <limits>

#include "zoo_files.h"

using namespace iskra;
using namespace iskra::zoo;
using namespace iskra::testing;

namespace {

TrainOptions good() {
  TrainOptions o;
  o.arch = "vit_mini";
  o.data = "pictures";
  return o;
}

}  // namespace

TEST(TrainOptions, JsonGivesBackEveryValue) {
  TrainOptions o = good();
  o.classes = {3, 1, 2};
  o.lr = 0.1 + 0.2;  // needs all its digits
  o.flip = true;
  o.seed = 9007199254740991;
  o.out = "a \"strange\"\nname";
  TrainOptions back = options_from_json(options_to_json(o));
  EXPECT_EQ(options_as_text(back), options_as_text(o));
  EXPECT_EQ(back.lr, o.lr);
  EXPECT_EQ(back.classes, o.classes);
  EXPECT_EQ(back.out, o.out);
}

TEST(TrainOptions, JsonOfAnotherShapeIsRefused) {
  EXPECT_ERROR(options_from_json("[1]"), "options: not a JSON object");
  EXPECT_ERROR(options_from_json("{\"batch\": \"many\"}"), "options: 'batch' has the wrong type: \"many\"");
  EXPECT_ERROR(options_from_json("{\"bath\": 3}"), "options: 'bath' is unknown");
}

TEST(TrainOptions, AbsurdValuesAreNamed) {
  auto bad = [](auto change) {
    TrainOptions o = good();
    change(o);
    return error_of([&] { check_options(o); });
  };
  EXPECT_EQ(error_of([] { check_options(good()); }), "no error");
  EXPECT_EQ(bad([](auto& o) { o.batch = 0; }), "batch: 0 lies outside 1 … 65536");
  EXPECT_EQ(bad([](auto& o) { o.lr = -1; }), "lr: -1 lies outside 0 … 100");
  EXPECT_EQ(bad([](auto& o) { o.lr = std::numeric_limits<double>::quiet_NaN(); }),
            "lr: null lies outside 0 … 100");
  EXPECT_EQ(bad([](auto& o) { o.lr = 0; }), "lr: 0 trains nothing; it must be above 0");
  EXPECT_EQ(bad([](auto& o) { o.optimizer = "adam"; }),
            "optimizer: 'adam' is unknown; choose one of adamw|sgd");
  EXPECT_EQ(bad([](auto& o) { o.optimizer = "adamw|sgd"; }),
            "optimizer: 'adamw|sgd' is unknown; choose one of adamw|sgd");
  EXPECT_EQ(bad([](auto& o) { o.epochs = 2, o.steps = 3; }),
            "epochs 2 and steps 3: both say how long to train; give one of them");
  EXPECT_EQ(bad([](auto& o) { o.precision = "bf16"; }), "precision: 'bf16' is not in this build; use fp32");
  EXPECT_EQ(bad([](auto& o) { o.classes = {4}; }),
            "classes: one class (4) cannot be told from others; give two or more");
  EXPECT_EQ(bad([](auto& o) { o.classes = {4, 2, 4}; }), "classes: 4,2,4 names a label twice");
  EXPECT_EQ(bad([](auto& o) { o.strategy = "head"; }),
            "strategy: 'head' starts from weights; give --weights FILE, or strategy scratch");
  EXPECT_EQ(bad([](auto& o) { o.final_lr = 1; }), "final_lr 1 is above lr 0.001");
}

TEST(TrainOptions, ResumeListsEveryDifference) {
  TrainOptions run = good(), now = good();
  run.out = now.out = "runs/a";
  now.threads = 7;  // changes no result
  now.keep = 9;
  EXPECT_EQ(error_of([&] { check_same_options(run, now); }), "no error");
  now.batch = 32;
  now.lr = 0.01;
  now.weights = "w.safetensors";
  EXPECT_EQ(
      error_of([&] { check_same_options(run, now); }),
      "resume: the run in runs/a has other options: weights (run: (none), now: w.safetensors), batch (run: "
      "64, "
      "now: 32), lr (run: 0.001, now: 0.01); leave these flags out to continue it, or choose another --out");
}

TEST(TrainStrategy, Parses) {
  EXPECT_EQ(parse_strategy("full").kind, Strategy::full);
  EXPECT_EQ(parse_strategy("head").kind, Strategy::head);
  EXPECT_EQ(parse_strategy("scratch").kind, Strategy::scratch);
  EXPECT_EQ(parse_strategy("last:12").kind, Strategy::last);
  EXPECT_EQ(parse_strategy("last:12").blocks, 12);
  for (const char* wrong : {"", "last", "last:", "last:0", "last:-1", "last:2x", "Full", "auto"}) {
    EXPECT_ERROR(parse_strategy(wrong), "is unknown; choose full, head, last:K with K >= 1, or scratch");
  }
}

TEST(JsonLine, EscapesAndDigits) {
  EXPECT_EQ(JsonLine()("a", 1)("b", 0.1)("c", true)("d", "x\"\\\n\x01y").str(),
            "{\"a\":1,\"b\":0.1,\"c\":true,\"d\":\"x\\\"\\\\\\n\\u0001y\"}");
  EXPECT_EQ(json_number(1e300), "1e+300");
  EXPECT_EQ(json_number(std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(json_text("gr\xC3\xBC\xC3\x9F"), "\"gr\xC3\xBC\xC3\x9F\"");
  // Overlong, surrogate, truncated, beyond U+10FFFF: each bad byte is replaced.
  EXPECT_EQ(json_text("\xC0\xAF"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_text("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(json_text("\xE2\x82"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_EQ(JsonLine()("v", std::vector<int64_t>{})("w", std::vector<std::vector<int64_t>>{{1, 2}, {}}).str(),
            "{\"v\":[],\"w\":[[1,2],[]]}");
}
