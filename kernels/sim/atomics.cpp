#include <iskra/kernels/sim/atomics.h>

#include <algorithm>

#include <iskra/kernels/sim/engine.h>
#include <iskra/kernels/sim/sanitizers.h>

namespace iskra::sim {
namespace {

constexpr const char* kNames[] = {"atomicAdd", "atomicExch", "atomicCAS", "atomicMin",
                                  "atomicMax", "atomicAnd",  "atomicOr",  "atomicXor",
                                  "atomicInc", "atomicDec",  "load",      "store"};

template <class T>
T integer_result(AtomicOp op, T old, T value) {
  switch (op) {
    case AtomicOp::bit_and:
      return old & value;
    case AtomicOp::bit_or:
      return old | value;
    case AtomicOp::bit_xor:
      return old ^ value;
    case AtomicOp::increment:
      return old >= value ? T{0} : static_cast<T>(old + 1);
    case AtomicOp::decrement:
      return old == 0 || old > value ? value : static_cast<T>(old - 1);
    default:
      return value;
  }
}

template <class T>
T sum(T a, T b) {
  if constexpr (std::is_integral_v<T>) {  // wraps around
    using U = std::make_unsigned_t<T>;
    return static_cast<T>(static_cast<U>(a) + static_cast<U>(b));
  } else {
    return a + b;
  }
}

template <class T>
T result_of(AtomicOp op, T old, T value, T compare) {
  switch (op) {
    case AtomicOp::add:
      return sum(old, value);
    case AtomicOp::min:
      return std::min(old, value);
    case AtomicOp::max:
      return std::max(old, value);
    case AtomicOp::compare_exchange:
      return std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(old) ==
                     std::bit_cast<std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>(compare)
                 ? value
                 : old;
    case AtomicOp::exchange:
    case AtomicOp::store:
      return value;
    case AtomicOp::load:
      return old;
    default:
      break;
  }
  if constexpr (std::is_integral_v<T>) return integer_result(op, old, value);
  return value;
}

void tell_tsan(void* address, size_t bytes) {
#ifdef ISKRA_SIM_TSAN
  if (bytes == 4) {
    __tsan_atomic32_fetch_or(static_cast<volatile __tsan_atomic32*>(address), 0, __tsan_memory_order_relaxed);
  } else {
    __tsan_atomic64_fetch_or(static_cast<volatile __tsan_atomic64*>(address), 0, __tsan_memory_order_relaxed);
  }
#else
  (void)address, (void)bytes;
#endif
}

template <class T>
uint64_t apply(AtomicOp op, void* address, uint64_t value, uint64_t compare) {
  using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
  auto* p = static_cast<Bits*>(address);
  Bits old = __atomic_load_n(p, __ATOMIC_RELAXED), wanted;
  do {
    wanted = static_cast<Bits>(atomic_bits(
        result_of<T>(op, std::bit_cast<T>(old), atomic_value<T>(value), atomic_value<T>(compare))));
  } while (!__atomic_compare_exchange_n(p, &old, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
  return old;
}

}  // namespace

uint64_t atomic(AtomicOp op, AtomicType type, void* address, uint64_t value, uint64_t compare,
                const Site& at) {
  const char* what = kNames[static_cast<int>(op)];
  Thread& self = Engine::self(what);
  Engine& engine = Engine::of_this_thread();
  size_t bytes = type == AtomicType::i32 || type == AtomicType::u32 || type == AtomicType::f32 ? 4 : 8;
  if (reinterpret_cast<uintptr_t>(address) % bytes != 0) {
    engine.fail(at, "%s: address %p is not aligned to %zu bytes", what, address, bytes);
  }
  engine.turn(self, what, at);
  if (self.fenced) tsan_release(address);
  tell_tsan(address, bytes);
  uint64_t old = 0;
  switch (type) {
    case AtomicType::i32:
      old = apply<int32_t>(op, address, value, compare);
      break;
    case AtomicType::u32:
      old = apply<uint32_t>(op, address, value, compare);
      break;
    case AtomicType::i64:
      old = apply<int64_t>(op, address, value, compare);
      break;
    case AtomicType::u64:
      old = apply<uint64_t>(op, address, value, compare);
      break;
    case AtomicType::f32:
      old = apply<float>(op, address, value, compare);
      break;
    case AtomicType::f64:
      old = apply<double>(op, address, value, compare);
      break;
  }
  tsan_acquire(address);
  return old;
}

void memory_fence(const Site& at) {
  Thread& self = Engine::self("__threadfence");
  self.fenced = true;
  Engine::of_this_thread().turn(self, "__threadfence", at);
}

uint64_t acquire_load(AtomicType type, const void* address, const Site& at) {
  Thread& self = Engine::self("an acquiring load");
  Engine::of_this_thread().yield(self, "an acquiring load", at);
  return atomic(AtomicOp::load, type, const_cast<void*>(address), 0, 0, at);
}

void release_store(AtomicType type, void* address, uint64_t value, const Site& at) {
  Thread& self = Engine::self("a releasing store");
  self.fenced = true;
  atomic(AtomicOp::store, type, address, value, 0, at);
}

}  // namespace iskra::sim
