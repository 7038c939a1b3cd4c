// For tests of files: a folder of their own, whole files as texts, and errors compared by what they say.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <iskra/kernels/check.h>

namespace iskra::testing {

/// An empty folder within a test, removed at the end.
class Folder {
 public:
  Folder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    static int made = 0;
    path_ = ::testing::TempDir() + text("/", test->test_suite_name(), ".", test->name(), ".", ++made);
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

/// Changes one byte in place: rewriting whole files thousands of times would wait for the disk each time.
inline void overwrite(const std::string& path, size_t at, char byte) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(byte);
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The message of the Error that f throws; "no error" when it throws none. Messages are one line.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    std::string message = error.what();
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
    EXPECT_FALSE(message.empty());
    return message;
  }
  return "no error";
}

inline bool contains(const std::string& all, const std::string& part) {
  return all.find(part) != std::string::npos;
}

/// f throws an Error whose message holds `part`.
#define EXPECT_ERROR(statement, part)      \
  EXPECT_PRED2(::iskra::testing::contains, \
               ::iskra::testing::error_of([&] { static_cast<void>(statement); }), part)

}  // namespace iskra::testing
