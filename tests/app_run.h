// Runs the iskra program as a person would: arguments in, exit code, stdout and stderr out.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <string>
#include <vector>

#include "zoo_files.h"

namespace iskra::testing {

struct Ran {
  int code = -1;  ///< exit code; 128 + signal when it died of one
  std::string out, err;

  /// Lines of stdout.
  std::vector<std::string> lines() const {
    std::vector<std::string> all;
    for (size_t begin = 0; begin < out.size();) {
      size_t end = std::min(out.find('\n', begin), out.size());
      all.push_back(out.substr(begin, end - begin));
      begin = end + 1;
    }
    return all;
  }
};

/// Starts iskra with stdout and stderr in files of `folder`; `meanwhile(pid)` is called while it runs.
/// `environment` replaces or adds "NAME=value".
inline Ran run_iskra(const Folder& folder, const std::vector<std::string>& arguments,
                     const std::function<void(pid_t)>& meanwhile = {},
                     const std::vector<std::string>& environment = {}) {
  std::string out = folder / "stdout.txt", err = folder / "stderr.txt";
  std::vector<std::string> words = {ISKRA_PROGRAM};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv, env;
  for (std::string& w : words) argv.push_back(w.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = environment;
  for (char** e = environ; *e != nullptr; ++e) {
    std::string name = std::string(*e).substr(0, std::string(*e).find('=') + 1);
    bool replaced = false;
    for (const std::string& v : environment) replaced = replaced || v.starts_with(name);
    if (!replaced) variables.emplace_back(*e);
  }
  for (std::string& v : variables) env.push_back(v.data());
  env.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, 1, out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  posix_spawn_file_actions_addopen(&files, 2, err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644);
  pid_t pid = 0;
  int failed = posix_spawn(&pid, ISKRA_PROGRAM, &files, nullptr, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  EXPECT_EQ(failed, 0) << ISKRA_PROGRAM;
  if (failed != 0) return {};
  if (meanwhile) meanwhile(pid);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), read_bytes(out), read_bytes(err)};
}

/// It failed with this exit code, said exactly this one line, and nothing on stdout.
inline void expect_failure(const Ran& ran, int code, const std::string& message) {
  EXPECT_EQ(ran.code, code);
  EXPECT_EQ(ran.err, "iskra: error: " + message + "\n");
  EXPECT_EQ(ran.out, "");
}

/// The same, where only a part of the line is told.
inline void expect_failure_with(const Ran& ran, int code, const std::string& part) {
  EXPECT_EQ(ran.code, code);
  EXPECT_TRUE(ran.err.starts_with("iskra: error: ")) << ran.err;
  EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
  EXPECT_PRED2(contains, ran.err, part);
  EXPECT_EQ(ran.out, "");
}

}  // namespace iskra::testing
