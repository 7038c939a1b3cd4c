// Where tests read goldens and headers: the tree they were built from, or, where only a part of it was
// brought along, the folder that ISKRA_TEST_SOURCES names.
#pragma once

#include <cstdlib>
#include <filesystem>

inline std::filesystem::path source_folder() {
  const char* moved = std::getenv("ISKRA_TEST_SOURCES");
  return moved != nullptr ? moved : ISKRA_SOURCE_DIR;
}
