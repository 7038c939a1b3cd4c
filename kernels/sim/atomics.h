// Atomic operations. Relaxed, as on the GPU: what a thread wrote before is published by an atomic only after
// a
// __threadfence (for ThreadSanitizer's eyes).
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

#include <iskra/kernels/sim/fault.h>

namespace iskra::sim {

enum class AtomicOp : uint8_t {
  add,
  exchange,
  compare_exchange,
  min,
  max,
  bit_and,
  bit_or,
  bit_xor,
  increment,
  decrement,
  load,
  store
};
enum class AtomicType : uint8_t { i32, u32, i64, u64, f32, f64 };

/// Does it and gives the old value; `value` and `compare` are the bits of their type.
uint64_t atomic(AtomicOp op, AtomicType type, void* address, uint64_t value, uint64_t compare,
                const Site& at);
/// __threadfence and __threadfence_block.
void memory_fence(const Site& at);
/// A load that the loop around it repeats until another thread has stored: lets others run.
uint64_t acquire_load(AtomicType type, const void* address, const Site& at);
void release_store(AtomicType type, void* address, uint64_t value, const Site& at);

template <class T>
constexpr AtomicType atomic_type_of() {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "atomics are of 4 or 8 bytes");
  if constexpr (std::is_same_v<T, float>) return AtomicType::f32;
  if constexpr (std::is_same_v<T, double>) return AtomicType::f64;
  if constexpr (std::is_signed_v<T>) return sizeof(T) == 4 ? AtomicType::i32 : AtomicType::i64;
  return sizeof(T) == 4 ? AtomicType::u32 : AtomicType::u64;
}
template <class T>
uint64_t atomic_bits(T value) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<uint32_t>(value);
  else
    return std::bit_cast<uint64_t>(value);
}
template <class T>
T atomic_value(uint64_t bits) {
  if constexpr (sizeof(T) == 4)
    return std::bit_cast<T>(static_cast<uint32_t>(bits));
  else
    return std::bit_cast<T>(bits);
}

}  // namespace iskra::sim
