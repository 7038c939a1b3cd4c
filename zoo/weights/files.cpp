#include <iskra/zoo/weights/files.h>

#include <fcntl.h>
#include <stdio.h>  // renameat2, glibc's
#include <sys/stat.h>
#include <unistd.h>

#define XXH_INLINE_ALL  // nothing to link
#include <xxhash.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <iskra/kernels/check.h>

namespace iskra::zoo {
namespace {

namespace fs = std::filesystem;

// What to do about it, for the errors that people meet.
const char* advice(int error) {
  switch (error) {
    case ENOENT:
      return "; is the path right?";
    case EACCES:
    case EPERM:
      return "; check the permissions, or choose another place";
    case EROFS:
      return "; choose another place";
    case ENOSPC:
    case EDQUOT:
      return "; free some space, or choose another place (nothing was changed)";
    case ENOTDIR:
      return "; a part of the path is a file, not a folder";
    default:
      return "";
  }
}

[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  throw Error(text(path, ": ", what, ": ", std::strerror(error), advice(error)));
}

std::string parent_of(const std::string& path) {
  std::string parent = fs::path(path).parent_path().string();
  return parent.empty() ? "." : parent;
}

// Without a slash at the end, so that a name can be appended.
std::string without_slash(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

// Unique among the threads of this process and among processes.
std::string temporary_name(const std::string& path, const char* kind) {
  static std::atomic<uint64_t> counter{0};
  return text(path, kind, static_cast<int64_t>(getpid()), "-", counter.fetch_add(1));
}

void sync_folder(const std::string& path) {
  int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(path, "cannot open the folder", errno);
  // Some network file systems cannot sync a folder and say EINVAL; there is nothing better to do there.
  int error = ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
  ::close(fd);
  if (error != 0) fail(path, "cannot sync the folder", error);
}

std::string hex_of(XXH128_hash_t hash) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, hash);
  std::string hex;
  for (unsigned char byte : canonical.digest) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

}  // namespace

Hasher::Hasher() : state_(XXH3_createState()) {
  ISKRA_CHECK(state_ != nullptr, "out of memory for a hash");
  XXH3_128bits_reset(static_cast<XXH3_state_t*>(state_));
}
Hasher::~Hasher() { XXH3_freeState(static_cast<XXH3_state_t*>(state_)); }
void Hasher::add(const void* data, size_t bytes) {
  if (bytes > 0) XXH3_128bits_update(static_cast<XXH3_state_t*>(state_), data, bytes);
}
std::string Hasher::digest() const { return hex_of(XXH3_128bits_digest(static_cast<XXH3_state_t*>(state_))); }

std::string hash_bytes(std::string_view bytes) { return hex_of(XXH3_128bits(bytes.data(), bytes.size())); }

std::string hash_file(const std::string& path) {
  ReadFile file(path);
  Hasher hasher;
  std::vector<char> piece(static_cast<size_t>(std::min<uint64_t>(file.size(), 1 << 20)));
  for (uint64_t at = 0; at < file.size();) {
    auto bytes = static_cast<size_t>(std::min<uint64_t>(piece.size(), file.size() - at));
    file.read(at, piece.data(), bytes);
    hasher.add(piece.data(), bytes);
    at += bytes;
  }
  return hasher.digest();
}

AtomicFile::AtomicFile(const std::string& path) : path_(path), temporary_(temporary_name(path, ".tmp-")) {
  ISKRA_CHECK(!path.empty(), "cannot write a file without a name");
  ISKRA_CHECK(!folder_exists(path), path, ": cannot write: it is a folder; name a file in it");
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ >= 0) return;
  int error = errno;
  ISKRA_CHECK(error != ENOENT, path, ": cannot write: there is no folder ", parent_of(path),
              "; make it first");
  fail(path, "cannot write", error);
}

AtomicFile::~AtomicFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, size_t bytes) {
  hasher_.add(data, bytes);
  bytes_ += bytes;
  const char* at = static_cast<const char*>(data);
  while (bytes > 0) {
    ssize_t done = ::write(fd_, at, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path_, "cannot write", errno);
    at += done;
    bytes -= static_cast<size_t>(done);
  }
}

Written AtomicFile::commit() {
  ISKRA_CHECK(fd_ >= 0, path_, ": was committed before");
  if (::fsync(fd_) != 0) fail(path_, "cannot sync", errno);
  int closed = ::close(fd_);
  fd_ = -1;
  if (closed != 0) fail(path_, "cannot write", errno);
  if (::rename(temporary_.c_str(), path_.c_str()) != 0)
    fail(path_, "cannot put the new file in its place", errno);
  temporary_.clear();
  sync_folder(parent_of(path_));
  return {bytes_, hasher_.digest()};
}

Written atomic_write(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.write(bytes);
  return file.commit();
}

ReadFile::ReadFile(const std::string& path) : path_(path) {
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd_ < 0 && errno == ENOENT) throw Error(text(path, ": no such file; check the path"));
  if (fd_ < 0) fail(path, "cannot open", errno);
  struct stat status{};
  if (::fstat(fd_, &status) == 0 && S_ISREG(status.st_mode)) {
    size_ = static_cast<uint64_t>(status.st_size);
    return;
  }
  bool folder = S_ISDIR(status.st_mode);
  ::close(fd_);
  throw Error(text(path, folder ? ": is a folder, not a file" : ": is not an ordinary file"));
}

ReadFile::~ReadFile() {
  if (fd_ >= 0) ::close(fd_);
}
ReadFile::ReadFile(ReadFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(other.fd_), size_(other.size_) {
  other.fd_ = -1;
}
ReadFile& ReadFile::operator=(ReadFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(fd_, other.fd_);
  std::swap(size_, other.size_);
  return *this;
}

void ReadFile::read(uint64_t offset, void* to, size_t bytes) const {
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    ssize_t done = ::pread(fd_, at, bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) fail(path_, "cannot read", errno);
    ISKRA_CHECK(done > 0, path_, ": ends at byte ", offset, " although it had ", size_,
                " bytes when it was opened; something else writes to it");
    at += done;
    offset += static_cast<uint64_t>(done);
    bytes -= static_cast<size_t>(done);
  }
}

std::string read_file(const std::string& path, uint64_t limit) {
  ReadFile file(path);
  ISKRA_CHECK(file.size() <= limit, path, ": has ", file.size(), " bytes, more than the ", limit,
              " that such a file can have");
  std::string bytes(static_cast<size_t>(file.size()), '\0');
  file.read(0, bytes.data(), bytes.size());
  return bytes;
}

bool file_exists(const std::string& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}
bool folder_exists(const std::string& path) {
  std::error_code ignored;
  return fs::is_directory(path, ignored);
}

void make_folders(const std::string& path) {
  ISKRA_CHECK(!path.empty(), "cannot make a folder without a name");
  std::error_code error;
  fs::create_directories(path, error);
  if (!error && !folder_exists(path)) error = std::make_error_code(std::errc::not_a_directory);
  if (error) fail(path, "cannot make the folder", error.value());
}

std::vector<std::string> list_folder(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(path, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  if (error) fail(path, "cannot list the folder", error.value());
  std::sort(names.begin(), names.end());
  return names;
}

void remove_all(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error) fail(path, "cannot remove", error.value());
}

void commit_directory(const std::string& temporary, const std::string& final_path) {
  std::string from = without_slash(temporary), to = without_slash(final_path);
  sync_folder(from);
  std::string old;
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) != 0) {
    bool there = errno == EEXIST || errno == ENOTEMPTY;
    if (there && ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) {
      old = from;
    } else if (folder_exists(to)) {  // a file system that cannot exchange
      old = temporary_name(parent_of(to) + "/.trash-", "");
      if (::rename(to.c_str(), old.c_str()) != 0) fail(to, "cannot move the old folder away", errno);
      if (::rename(from.c_str(), to.c_str()) != 0) fail(to, "cannot put the new folder in its place", errno);
    } else if (::rename(from.c_str(), to.c_str()) != 0) {  // one that knows no flags
      fail(to, "cannot put the new folder in its place", errno);
    }
  }
  sync_folder(parent_of(to));
  if (!old.empty()) remove_all(old);
}

}  // namespace iskra::zoo
