#include <iskra/kernels/sim/tma.h>

#include <bit>

#include <iskra/kernels/half.h>
#include <iskra/kernels/sim/cluster.h>
#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/mbarrier.h>
#include <iskra/kernels/sim/sanitizers.h>
#include <iskra/kernels/sim/tensor_walk.h>

namespace iskra::sim {
namespace {

constexpr const char* kWhat = "cp.async.bulk.tensor";

struct Transfer {
  EncodedTensor map;
  BoxPlace place;
  uint32_t shared, mbarrier;
  uint16_t blocks;  ///< of the cluster
};

EncodedTensor decoded(Engine& engine, const TensorMap* map, const char* what, const Site& at) {
  if (reinterpret_cast<uintptr_t>(map) % 64 != 0) {
    engine.fail(at, "%s: the tensor map at %p is not aligned to 64 bytes", what,
                static_cast<const void*>(map));
  }
  asan_check(map, sizeof *map);
  tsan_read(map, sizeof *map);
  EncodedTensor result;
  raw_copy(&result, map, sizeof result);
  if (result.magic != kTensorMagic) {
    engine.fail(at, "%s: at %p is no tensor map", what, static_cast<const void*>(map));
  }
  return result;
}

Transfer begun(Engine& engine, const Thread& self, int rank, bool im2col, const void* shared,
               const TensorMap* map, const int* coordinates, const Site& at) {
  Transfer t{};
  t.map = decoded(engine, map, kWhat, at);
  if (t.map.rank != rank || t.map.im2col != im2col) {
    engine.fail(at, "%s.%dd%s with a map of %d dimensions%s", kWhat, rank, im2col ? ".im2col" : "",
                t.map.rank, t.map.im2col ? " for im2col" : "");
  }
  t.shared = shared_range(engine, *self.block, shared, box_bytes(t.map), 128, kWhat, at);
  for (int i = 0; i < rank; ++i) t.place.at[i] = coordinates[i];
  return t;
}

// Tells the sanitizers of what is read or written in global memory.
void check_global(const Transfer& t, bool write) {
  if (!kSanitized) return;
  walk_box(t.map, t.place, [&](uint32_t, const char* p, int64_t from, int64_t to) {
    if (from == to) return;
    auto bytes = static_cast<size_t>(to - from);
    asan_check(p + from, bytes);
    if (write) {
      tsan_write(const_cast<char*>(p) + from, bytes);
    } else {
      tsan_read(p + from, bytes);
    }
  });
}

// --- loads
// -----------------------------------------------------------------------------------------------------------

void fill_outside(const EncodedTensor& map, unsigned char* unit) {
  if (map.outside == Outside::zero) {
    std::memset(unit, 0, kTensorUnit);
    return;
  }
  int64_t bytes = element_bytes(map.type);
  for (int64_t i = 0; i < kTensorUnit; ++i) unit[i] = (i + 1) % bytes == 0 ? 0x7F : 0xFF;
}

void fill_box(const Transfer& t, SharedMemory& shared) {
  walk_box(t.map, t.place, [&](uint32_t linear, const char* p, int64_t from, int64_t to) {
    unsigned char unit[kTensorUnit];
    fill_outside(t.map, unit);
    if (from < to) raw_copy(unit + from, p + from, static_cast<size_t>(to - from));
    shared.async_write(swizzled(t.map.swizzle, t.shared + linear), unit, kTensorUnit);
  });
}

void load_now(Job& job) {
  auto t = payload_of<Transfer>(job);
  Engine& engine = Engine::of_this_thread();
  for (int rank = 0; rank < 16; ++rank) {
    if ((t.blocks >> rank & 1) == 0) continue;
    Block& block = block_of_cluster(engine, *job.issuer, rank, kWhat, job.at);
    fill_box(t, block.shared);
    --block.in_flight;
    mbarrier_complete(block, t.mbarrier, box_bytes(t.map), kWhat, job.at);
  }
}

void begin_load(Engine& engine, Thread& self, Transfer& t, const uint64_t* mbarrier, const Site& at) {
  if (t.blocks == 0) engine.fail(at, "%s to no block", kWhat);
  t.mbarrier = shared_range(engine, *self.block, mbarrier, 8, 8, kWhat, at);
  check_global(t, false);
  for (int rank = 0; rank < 16; ++rank) {
    if ((t.blocks >> rank & 1) == 0) continue;
    Block& block = block_of_cluster(engine, self, rank, kWhat, at);
    block.shared.open_around(t.shared);
    block.shared.open_around(t.mbarrier);
    tsan_write(block.shared.at(t.shared), box_bytes(t.map));
    mbarrier_for_later(engine, block, block.shared.at(t.mbarrier), true, kWhat, at);
    block.shared.async_undefine(t.shared, box_bytes(t.map));
    ++block.in_flight;
    block.in_flight_at = at;
  }
  engine.add_job(make_job(load_now, self, at, t));
  engine.turn(self, kWhat, at);
}

uint16_t only(int rank) { return static_cast<uint16_t>(1U << rank); }

// --- stores
// -----------------------------------------------------------------------------------------------------------

template <class T>
T sum(T a, T b) {
  if constexpr (std::is_same_v<T, f16>) {
    return kernels::to_f16(kernels::to_float(a) + kernels::to_float(b));
  } else if constexpr (std::is_same_v<T, bf16>) {
    return kernels::to_bf16(kernels::to_float(a) + kernels::to_float(b));
  } else {
    return a + b;
  }
}

template <class T>
void add(char* to, const unsigned char* from, int64_t bytes) {
  for (int64_t i = 0; i < bytes; i += static_cast<int64_t>(sizeof(T))) {
    T a, b;
    raw_copy(&a, to + i, sizeof a);
    raw_copy(&b, from + i, sizeof b);
    a = sum(a, b);
    raw_copy(to + i, &a, sizeof a);
  }
}

void add_of_type(TensorType type, char* to, const unsigned char* from, int64_t bytes) {
  switch (type) {
    case TensorType::i32:
      return add<uint32_t>(to, from, bytes);  // wraps around
    case TensorType::f16:
      return add<f16>(to, from, bytes);
    case TensorType::bf16:
      return add<bf16>(to, from, bytes);
    default:
      return add<float>(to, from, bytes);
  }
}

// Called twice: first it reads, then it writes.
template <bool adds>
void store_now(Job& job) {
  auto t = payload_of<Transfer>(job);
  if (job.staged.empty()) {
    job.staged.resize(box_bytes(t.map));
    for (uint32_t i = 0; i < job.staged.size(); i += kTensorUnit) {
      job.issuer->block->shared.async_read(swizzled(t.map.swizzle, t.shared + i), &job.staged[i],
                                           kTensorUnit);
    }
    return;
  }
  walk_box(t.map, t.place, [&](uint32_t linear, const char* p, int64_t from, int64_t to) {
    if (from == to) return;
    char* y = const_cast<char*>(p) + from;
    const unsigned char* x = &job.staged[linear + static_cast<size_t>(from)];
    if constexpr (adds) {
      add_of_type(t.map.type, y, x, to - from);
    } else {
      raw_copy(y, x, static_cast<size_t>(to - from));
    }
  });
}

}  // namespace

void tma_load(int rank, void* shared, const TensorMap* map, const int* at_coordinates, uint64_t* mbarrier,
              const Site& at) {
  tma_load_multicast(rank, shared, map, at_coordinates, mbarrier, only(cluster_rank()), at);
}

void tma_load_multicast(int rank, void* shared, const TensorMap* map, const int* at_coordinates,
                        uint64_t* mbarrier, uint16_t blocks, const Site& at) {
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Transfer t = begun(engine, self, rank, false, shared, map, at_coordinates, at);
  t.blocks = blocks;
  begin_load(engine, self, t, mbarrier, at);
}

void tma_load_im2col(void* shared, const TensorMap* map, const int* at_coordinates, const uint16_t* offsets,
                     uint64_t* mbarrier, const Site& at) {
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Transfer t = begun(engine, self, 4, true, shared, map, at_coordinates, at);
  t.place.offsets[0] = offsets[0];
  t.place.offsets[1] = offsets[1];
  t.blocks = only(cluster_rank());
  begin_load(engine, self, t, mbarrier, at);
}

void tma_store(int rank, const TensorMap* map, const void* shared, const int* at_coordinates,
               const Site& at) {
  Thread& self = Engine::self(kWhat);
  Transfer t = begun(Engine::of_this_thread(), self, rank, false, shared, map, at_coordinates, at);
  tsan_read(shared, box_bytes(t.map));
  check_global(t, true);
  add_job(self.stores, make_job(store_now<false>, self, at, t));
}

void tma_reduce_add(int rank, const TensorMap* map, const void* shared, const int* at_coordinates,
                    const Site& at) {
  Thread& self = Engine::self(kWhat);
  Engine& engine = Engine::of_this_thread();
  Transfer t = begun(engine, self, rank, false, shared, map, at_coordinates, at);
  if (t.map.type != TensorType::i32 && t.map.type != TensorType::f16 && t.map.type != TensorType::bf16 &&
      t.map.type != TensorType::f32) {
    engine.fail(at, "cp.reduce.async.bulk.tensor: adds i32, f16, bf16 and f32 only");
  }
  tsan_read(shared, box_bytes(t.map));
  add_job(self.stores, make_job(store_now<true>, self, at, t));
}

void tma_prefetch(const TensorMap* map, const Site& at) {
  Engine::self("prefetch.tensormap");
  decoded(Engine::of_this_thread(), map, "prefetch.tensormap", at);
}

}  // namespace iskra::sim
