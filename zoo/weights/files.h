// Files that are never half-written: everything is written beside its final place, synced, and renamed there.
// All errors name the file and what the system said.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace iskra::zoo {

/// What was written: enough to check the file later.
struct Written {
  uint64_t bytes = 0;
  std::string hash;  ///< XXH3-128, 32 hexadecimal digits
};

/// XXH3-128 as 32 lower-case hexadecimal digits.
std::string hash_bytes(std::string_view bytes);
std::string hash_file(const std::string& path);

/// XXH3-128 of a stream of pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(const Hasher&) = delete;
  Hasher& operator=(const Hasher&) = delete;
  void add(const void* data, size_t bytes);
  std::string digest() const;

 private:
  void* state_;
};

/// A file under construction: a temporary file in the same folder until commit(). Destroyed before that, it
/// leaves the old file as it was.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(const void* data, size_t bytes);
  void write(std::string_view bytes) { write(bytes.data(), bytes.size()); }
  /// Syncs the file, renames it to its final name and syncs the folder.
  Written commit();

 private:
  std::string path_, temporary_;
  int fd_ = -1;
  Hasher hasher_;
  uint64_t bytes_ = 0;
};

/// Writes or replaces a whole file.
Written atomic_write(const std::string& path, std::string_view bytes);

/// The whole file, at most `limit` bytes.
std::string read_file(const std::string& path, uint64_t limit = UINT64_MAX);

/// A file open for reading at any place. Not a memory map: a file that shrinks meanwhile is an Error, not a
/// signal.
class ReadFile {
 public:
  explicit ReadFile(const std::string& path);
  ~ReadFile();
  ReadFile(ReadFile&& other) noexcept;
  ReadFile& operator=(ReadFile&& other) noexcept;
  const std::string& path() const { return path_; }
  /// Size when it was opened.
  uint64_t size() const { return size_; }
  void read(uint64_t offset, void* to, size_t bytes) const;

 private:
  std::string path_;
  int fd_ = -1;
  uint64_t size_ = 0;
};

bool file_exists(const std::string& path);
bool folder_exists(const std::string& path);
/// Makes the folder and its parents; an existing one is fine.
void make_folders(const std::string& path);
/// Names in a folder, sorted, without "." and "..".
std::vector<std::string> list_folder(const std::string& path);
/// Removes a file, or a folder with all that is in it; nothing there is fine.
void remove_all(const std::string& path);
/// Syncs the folder `temporary` (its files must be synced already), renames it to `final_path` in the same
/// parent and syncs the parent. A folder that is already there is exchanged for the new one in one step and
/// then removed.
void commit_directory(const std::string& temporary, const std::string& final_path);

}  // namespace iskra::zoo
