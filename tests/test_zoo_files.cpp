// Files that are never half-written, hashes, and what is said when the system refuses.
#include <gtest/gtest.h>

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>

#include <iskra/zoo/weights/files.h>

#include "zoo_files.h"

namespace iskra::zoo {
namespace {

using iskra::testing::Folder;
using iskra::testing::read_bytes;
using iskra::testing::write_bytes;

TEST(Files, HashesAreXxh3) {
  // Known answer: XXH3-128 of nothing with seed 0, as xxhsum -H2 prints it.
  EXPECT_EQ(hash_bytes(""), "99aa06d3014798d86001c324468d497f");
  std::string bytes(1'000'003, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * i >> 3);
  Hasher pieces;
  for (size_t at = 0; at < bytes.size(); at += 977)
    pieces.add(bytes.data() + at, std::min<size_t>(977, bytes.size() - at));
  EXPECT_EQ(pieces.digest(), hash_bytes(bytes));
  Folder folder;
  write_bytes(folder / "f", bytes);
  EXPECT_EQ(hash_file(folder / "f"), hash_bytes(bytes));
}

TEST(Files, AtomicWriteReplaces) {
  Folder folder;
  Written first = atomic_write(folder / "f", "one");
  EXPECT_EQ(first.bytes, 3U);
  EXPECT_EQ(first.hash, hash_bytes("one"));
  atomic_write(folder / "f", "");
  EXPECT_EQ(read_file(folder / "f"), "");
  atomic_write(folder / "f", "three");
  EXPECT_EQ(read_file(folder / "f"), "three");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"f"});
}

TEST(Files, AnUncommittedFileLeavesTheOldOne) {
  Folder folder;
  atomic_write(folder / "f", "old");
  {
    AtomicFile file(folder / "f");
    file.write("new, half-wri");
    EXPECT_EQ(read_bytes(folder / "f"), "old");
  }
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"f"});
}

TEST(Files, WhatTheSystemRefuses) {
  Folder folder;
  write_bytes(folder / "file", "x");
  EXPECT_ERROR(atomic_write(folder / "no/f", "x"), "/no/f: cannot write: there is no folder ");
  EXPECT_ERROR(atomic_write(folder / "file/f", "x"),
               "Not a directory; a part of the path is a file, not a folder");
  EXPECT_ERROR(atomic_write(folder.path(), "x"), "cannot write: it is a folder; name a file in it");
  EXPECT_ERROR(atomic_write("", "x"), "cannot write a file without a name");
  EXPECT_ERROR(make_folders(folder / "file"), "/file: cannot make the folder: Not a directory");
  EXPECT_ERROR(make_folders(folder / "file/below"), "cannot make the folder: Not a directory");
  EXPECT_ERROR(read_file(folder / "no"), "/no: no such file");
  EXPECT_ERROR(read_file(folder.path()), "is a folder, not a file");
  EXPECT_ERROR(read_file(folder / "file", 0),
               "/file: has 1 bytes, more than the 0 that such a file can have");
  EXPECT_ERROR(list_folder(folder / "no"), "cannot list the folder: No such file or directory");
  EXPECT_ERROR(commit_directory(folder / "no", folder / "to"), "/no: cannot open the folder: No such file");
}

TEST(Files, UnwritablePlaces) {
  // Nobody may create files here, the superuser included.
  EXPECT_ERROR(atomic_write("/proc/iskra", "x"), "/proc/iskra: cannot write");
  EXPECT_ERROR(make_folders("/proc/iskra"), "/proc/iskra: cannot make the folder");
  if (geteuid() == 0) return;
  Folder folder;
  std::filesystem::permissions(folder.path(),
                               std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_ERROR(atomic_write(folder / "f", "x"),
               "Permission denied; check the permissions, or choose another place");
  std::filesystem::permissions(folder.path(), std::filesystem::perms::owner_all);
}

TEST(Files, ADiskThatIsFull) {
  // A limit on file sizes fails in the same call as a full disk.
  Folder folder;
  atomic_write(folder / "f", "old");
  struct rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto* handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message =
      iskra::testing::error_of([&] { atomic_write(folder / "f", std::string(10'000, 'x')); });
  setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_PRED2(iskra::testing::contains, message, "/f: cannot write: File too large");
  EXPECT_EQ(read_bytes(folder / "f"), "old");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"f"});
}

TEST(Files, FoldersAreCommittedWhole) {
  Folder folder;
  make_folders(folder / "a.tmp/deep");
  atomic_write(folder / "a.tmp/f", "1");
  commit_directory(folder / "a.tmp", folder / "a");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"a"});
  EXPECT_EQ(read_file(folder / "a/f"), "1");
  // Over one that is there: exchanged, the old one removed.
  make_folders(folder / "a.tmp");
  atomic_write(folder / "a.tmp/g", "2");
  commit_directory(folder / "a.tmp/", folder / "a/");
  EXPECT_EQ(list_folder(folder.path()), std::vector<std::string>{"a"});
  EXPECT_EQ(list_folder(folder / "a"), std::vector<std::string>{"g"});
  remove_all(folder / "a");
  remove_all(folder / "a");
  EXPECT_FALSE(folder_exists(folder / "a"));
}

TEST(Files, ReadsAtAnyPlace) {
  Folder folder;
  write_bytes(folder / "f", "0123456789");
  ReadFile file(folder / "f");
  ReadFile moved = std::move(file);
  EXPECT_EQ(moved.size(), 10U);
  char three[3];
  moved.read(4, three, 3);
  EXPECT_EQ(std::string(three, 3), "456");
  EXPECT_ERROR(moved.read(8, three, 3), "ends at byte 10 although it had 10 bytes");
}

}  // namespace
}  // namespace iskra::zoo
