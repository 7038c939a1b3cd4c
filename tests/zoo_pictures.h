// A little data set that a small model learns in seconds: 8x8 pictures, a bright quarter per class, noise on
// top.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "zoo_files.h"

namespace iskra::testing {

constexpr int kSide = 8, kQuarters = 4;

/// Deterministic noise in [0, 256).
inline uint8_t noise(uint64_t at) {
  at = (at + 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9;
  at = (at ^ at >> 27) * 0x94D049BB133111EB;
  return static_cast<uint8_t>(at >> 56);
}

inline std::string big_endian(uint32_t v) {
  return {static_cast<char>(v >> 24), static_cast<char>(v >> 16), static_cast<char>(v >> 8),
          static_cast<char>(v)};
}

/// Pixels of picture i, whose label is i % 4.
inline std::string picture_of(int i, uint64_t seed) {
  std::string pixels;
  int label = i % kQuarters;
  for (int y = 0; y < kSide; ++y) {
    for (int x = 0; x < kSide; ++x) {
      bool bright = (x >= kSide / 2) == (label % 2 == 1) && (y >= kSide / 2) == (label / 2 == 1);
      int value =
          (bright ? 120 : 40) + noise(seed * 1000003 + static_cast<uint64_t>(i * 64 + y * kSide + x)) / 2;
      pixels += static_cast<char>(value);
    }
  }
  return pixels;
}

inline std::string idx_pictures_bytes(int count, uint64_t seed) {
  std::string bytes =
      big_endian(0x803) + big_endian(static_cast<uint32_t>(count)) + big_endian(kSide) + big_endian(kSide);
  for (int i = 0; i < count; ++i) bytes += picture_of(i, seed);
  return bytes;
}

inline std::string idx_labels_bytes(int count) {
  std::string bytes = big_endian(0x801) + big_endian(static_cast<uint32_t>(count));
  for (int i = 0; i < count; ++i) bytes += static_cast<char>(i % kQuarters);
  return bytes;
}

/// Writes train (96 pictures) and test (40) into a folder and returns it.
inline std::string write_pictures(const std::string& folder, int train = 96, int test = 40) {
  std::filesystem::create_directories(folder);
  write_bytes(folder + "/train-images-idx3-ubyte", idx_pictures_bytes(train, 1));
  write_bytes(folder + "/train-labels-idx1-ubyte", idx_labels_bytes(train));
  write_bytes(folder + "/t10k-images-idx3-ubyte", idx_pictures_bytes(test, 2));
  write_bytes(folder + "/t10k-labels-idx1-ubyte", idx_labels_bytes(test));
  return folder;
}

}  // namespace iskra::testing
