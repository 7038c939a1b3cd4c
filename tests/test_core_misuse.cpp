// What is said to those who use an op wrongly: which op, what was given and what it takes, a way out, and the
// line of their call.
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "error_of.h"
#include "misuses.h"
#include "public_ops.h"

namespace iskra::testing {

namespace {

/// What errors call operators and short forms by: the op that they stand for.
std::string name_in_errors(const std::string& op) {
  static const std::map<std::string, std::string> kWords = {
      {"operator+", "add"}, {"operator-", "sub"}, {"operator*", "mul"}, {"operator/", "div"},
      {"operator<", "lt"},  {"operator<=", "le"}, {"operator>", "gt"},  {"operator>=", "ge"},
      {"zeros", "full"},    {"ones", "full"},     {"from_bytes", "of"}};
  auto found = kWords.find(op);
  return found == kWords.end() ? op : found->second;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

void expect_message(const Misuse& misuse) {
  set_synchronous(true);  // on CUDA, indices are looked at before kernels read them
  const std::string message = as_on_cpu(error_with_caller(misuse.call));
  set_synchronous(false);
  static const std::regex kParts(R"(^(.*) \((?:in ([^ ]+) )?at ([^ ]+):(\d+)\)$)");
  std::smatch parts;
  ASSERT_TRUE(std::regex_match(message, parts, kParts))
      << "not one line that ends with its caller: " << message;
  EXPECT_EQ(parts[1], misuse.says);
  const std::string named = parts[2].matched ? parts[2].str() + ": " : parts[1].str();
  EXPECT_TRUE(named.starts_with(name_in_errors(misuse.op))) << "does not name the op: " << message;
  EXPECT_EQ(parts[3], file_name(misuse.file));
  EXPECT_NEAR(std::stoi(parts[4]), misuse.line, 8) << "another line: " << message;
}

}  // namespace

std::vector<Misuse> all_misuses() {
  std::vector<Misuse> all;
  for (auto family : {pointwise_misuses, reduce_misuses, shape_misuses, index_misuses, product_misuses,
                      image_misuses, row_misuses, tensor_misuses, autograd_misuses}) {
    for (Misuse& misuse : family()) all.push_back(std::move(misuse));
  }
  return all;
}

TEST(Misuse, IsAnsweredInFull) {
  for (const Misuse& misuse : all_misuses()) {
    SCOPED_TRACE(text(misuse.op, " at ", file_name(misuse.file), ":", misuse.line));
    expect_message(misuse);
  }
}

TEST(Misuse, OfEveryPublicOpIsTested) {
  std::set<std::string> tested;
  for (const Misuse& misuse : all_misuses()) tested.insert(misuse.op);
  EXPECT_GE(all_misuses().size(), 120U);
  EXPECT_GE(misusable_functions().size(), 50U) << "the headers are not read as they should be";
  for (const std::string& op : misusable_functions()) {
    EXPECT_TRUE(tested.count(op)) << op << " has no row in the table of misuses";
  }
}

}  // namespace iskra::testing
