// The program's small parts: numbers as people type them, tables, progress lines, suggestions.
#include <iskra/zoo/app/console.h>
#include <iskra/zoo/app/flags.h>
#include <iskra/zoo/app/progress.h>
#include <iskra/zoo/suggest.h>

#include "zoo_files.h"

using namespace iskra;
using namespace iskra::zoo;

namespace {

template <class F>
std::string usage_error_of(F&& f) {
  try {
    f();
  } catch (const UsageError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST(Numbers, SuffixesAreReadAsSizes) {
  EXPECT_EQ(parse_integer("--n", "0", 0, 10), 0);
  EXPECT_EQ(parse_integer("--n", "60k", 0, 1e9), 60000);
  EXPECT_EQ(parse_integer("--n", "1.5M", 0, 1e9), 1500000);
  EXPECT_EQ(parse_integer("--n", "2G", 0, 1e12), 2000000000);
  EXPECT_EQ(parse_integer("--n", "4Ki", 0, 1e9), 4096);
  EXPECT_EQ(parse_integer("--n", "-3", -5, 5), -3);
  EXPECT_DOUBLE_EQ(parse_real("--x", "1e-3", 0, 1), 0.001);
}

TEST(Numbers, WrongOnesAreNamedWithTheirRange) {
  auto integer = [](const char* text) { return usage_error_of([&] { parse_integer("--n", text, 1, 8); }); };
  EXPECT_EQ(integer("0"), "--n: 0 is out of range; it must lie in 1 … 8");
  EXPECT_EQ(integer("1k"), "--n: 1k is out of range; it must lie in 1 … 8");
  EXPECT_EQ(integer("1e999"), "--n: 1e999 is out of range; it must lie in 1 … 8");
  EXPECT_EQ(integer("2.5"), "--n: 2.5 is no whole number; it must lie in 1 … 8");
  for (const char* text : {"", "k", "3x", "3kk", "3ki3", "nan", "0x3", " 3", "3 ", "--"}) {
    EXPECT_EQ(integer(text), std::string("--n: '") + text + "' is no number; it must lie in 1 … 8");
  }
  EXPECT_EQ(integer("inf"), "--n: inf is out of range; it must lie in 1 … 8");
}

TEST(Flags, SetDefaultsListsAndSwitches) {
  std::string name = "x";
  int64_t count = 3;
  bool on = false;
  std::vector<int64_t> list;
  std::string file;
  Flags flags("test", "A test.");
  flags.add("name", name, "a name");
  flags.add("per_class", count, "a number", 0, 100);
  flags.add("on", on, "a switch");
  flags.add("list", list, "numbers", 0, 9);
  flags.add_argument("FILE", file, "a file");
  EXPECT_TRUE(flags.parse({"--per-class", "7", "some.file", "--on", "--list=3,1"}));
  EXPECT_EQ(name, "x");
  EXPECT_EQ(count, 7);
  EXPECT_TRUE(on);
  EXPECT_EQ(list, (std::vector<int64_t>{3, 1}));
  EXPECT_EQ(file, "some.file");
  EXPECT_TRUE(flags.given("per_class"));
  EXPECT_FALSE(flags.given("name"));
}

TEST(Flags, WrongUseIsNamed) {
  auto parse = [](const std::vector<std::string>& arguments) {
    int64_t batch = 3;
    std::string file, mode = "train";
    Flags flags("test", "A test.");
    flags.add("batch", batch, "a number", 1, 100);
    flags.add("mode", mode, "a choice", "train|infer");
    flags.add_argument("FILE", file, "a file");
    return usage_error_of([&] { flags.parse(arguments); });
  };
  EXPECT_EQ(parse({"f", "--bacth", "3"}), "unknown flag '--bacth'; did you mean '--batch'?");
  EXPECT_EQ(parse({"f", "--zzz=3"}), "unknown flag '--zzz'");
  EXPECT_EQ(parse({"f", "g"}), "unexpected argument 'g'");
  EXPECT_EQ(parse({"f", "--batch"}), "--batch needs one value");
  EXPECT_EQ(parse({"f", "--batch", "-2"}), "--batch: -2 is out of range; it must lie in 1 … 100");
  EXPECT_EQ(parse({"f", "--mode", "trian"}),
            "--mode: 'trian' is unknown; choose one of train|infer; did you mean 'train'?");
  EXPECT_EQ(parse({}), "FILE is missing");
}

TEST(Console, TableAndTexts) {
  Table table({"name", "size>"});
  table.row({"a", "1,000"});
  table.row({"gr\xC3\xBC\xC3\x9F", "5"});
  EXPECT_EQ(table.str(), "name   size\na     1,000\ngr\xC3\xBC\xC3\x9F      5");
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(-1234567), "-1,234,567");
  EXPECT_EQ(bytes_text(1023), "1023 B");
  EXPECT_EQ(bytes_text(1536), "1.5 KiB");
  EXPECT_EQ(seconds_text(12.34), "12.3 s");
  EXPECT_EQ(seconds_text(125), "2 min 05 s");
  EXPECT_EQ(seconds_text(3720), "1 h 02 min");
  EXPECT_EQ(percent(0.5), "50.00 %");
}

TEST(Progress, LineFitsTheTerminal) {
  EXPECT_EQ(ProgressBar::line(50, 100, "loss 1.0", 12, 80, false),
            "[############------------] 50/100  loss 1.0  ETA 12.0 s");
  EXPECT_EQ(ProgressBar::line(0, 0, "", -1, 80, false), "[########################] 0/0");
  EXPECT_LE(ProgressBar::line(3, 4, std::string(200, 'x'), 5, 60, false).size(), 59U);
  std::string coloured = ProgressBar::line(1, 2, "", -1, 80, true);
  EXPECT_NE(coloured.find("\x1b[32m"), std::string::npos);
}

TEST(Suggest, NearWordsOnly) {
  EXPECT_EQ(edit_distance("", "abc"), 3);
  EXPECT_EQ(edit_distance("train", "trian"), 1);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3);
  std::vector<std::string> words = {"train", "eval", "predict"};
  EXPECT_EQ(closest("trian", words), "train");
  EXPECT_EQ(closest("pre", words), "");
  EXPECT_EQ(did_you_mean("evl", words), "; did you mean 'eval'?");
  EXPECT_EQ(did_you_mean("xxxxxx", words), "");
}
