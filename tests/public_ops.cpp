#include "public_ops.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <vector>

#include <iskra/core/ops.h>

#include "source_folder.h"

namespace iskra::testing {

namespace {

std::string file_text(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  ISKRA_CHECK(!text.str().empty(), "public ops: cannot read ", path.string());
  return text.str();
}

std::filesystem::path core() { return source_folder() / "core"; }

/// All headers core/ops*.h, one after the other.
std::string op_headers() {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(core())) {
    std::string name = entry.path().filename().string();
    if (name.starts_with("ops") && name.ends_with(".h")) paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::string all;
  for (const auto& path : paths) all += file_text(path);
  return all;
}

std::set<std::string> matches(std::string header, const std::regex& declaration) {
  header = std::regex_replace(header, std::regex(R"(//[^\n]*)"), "");
  header = std::regex_replace(header, std::regex(R"(#define ([^\n\\]|\\\n)*)"), "");  // what macros declare
  std::set<std::string> names;
  for (std::sregex_iterator at(header.begin(), header.end(), declaration), end; at != end; ++at) {
    names.insert((*at)[1]);
  }
  return names;
}

/// Functions that return tensors.
std::set<std::string> ops_declared_in(const std::string& header) {
  static const std::regex kDeclaration(
      R"(\n *(?:Tensors?|Ordered|std::\w+<Tensor[^>]*>) (operator[^ (]+|\w+)\()");
  return matches(header, kDeclaration);
}

/// Functions that take their caller, over however many lines.
std::set<std::string> noting_their_caller(const std::string& header) {
  static const std::regex kDeclaration(R"((operator[^ (]+|\w+)\([^;]*?Caller caller = Caller::current\(\))");
  return matches(header, kDeclaration);
}

}  // namespace

std::set<std::string> public_ops() {
  std::set<std::string> ops = ops_declared_in(op_headers());
  std::string tensor = file_text(core() / "tensor.h");
  size_t from = tensor.find("--- views and copies"), to = tensor.find("--- autograd");
  ISKRA_CHECK(from < to && to != std::string::npos, "public ops: core/tensor.h has no section of views");
  ops.merge(ops_declared_in(tensor.substr(from, to - from)));
#define ISKRA_INSERT(name, doc) ops.insert(#name);
  ISKRA_UNARY_OPS(ISKRA_INSERT)
  ISKRA_TEST_OPS(ISKRA_INSERT)
  ISKRA_BINARY_OPS(ISKRA_INSERT)
  ISKRA_COMPARE_OPS(ISKRA_INSERT)
#undef ISKRA_INSERT
  return ops;
}

std::set<std::string> misusable_functions() {
  std::set<std::string> all = public_ops();
  for (const char* header : {"tensor.h", "autograd.h", "random.h"}) {
    all.merge(noting_their_caller(file_text(core() / header)));
  }
  return all;
}

}  // namespace iskra::testing
