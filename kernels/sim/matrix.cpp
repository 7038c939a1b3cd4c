#include <iskra/kernels/sim/matrix.h>

#include <algorithm>
#include <cmath>

#include <iskra/kernels/sim/fragments.h>
#include <iskra/kernels/sim/jobs.h>
#include <iskra/kernels/sim/matrix_values.h>
#include <iskra/kernels/sim/warp.h>

namespace iskra::sim {
namespace {

constexpr uint32_t kAll = 0xFFFFFFFF;
constexpr size_t kRowBytes = 16;

// --- between registers and shared memory
// -----------------------------------------------------------------------------------------------------------

// What a lane brings to ldmatrix or stmatrix, and which elements it is answerable for.
struct Rows {
  int count;
  bool transposed;
  uint32_t row;  ///< shared address
  uint32_t registers[4];
  uint32_t elements[8];  ///< shared addresses of what lies in the registers
};

const char* name_of(bool load, int count, bool transposed) {
  constexpr const char* kNames[2][2][3] = {{{"stmatrix.x1", "stmatrix.x2", "stmatrix.x4"},
                                            {"stmatrix.x1.trans", "stmatrix.x2.trans", "stmatrix.x4.trans"}},
                                           {{"ldmatrix.x1", "ldmatrix.x2", "ldmatrix.x4"},
                                            {"ldmatrix.x1.trans", "ldmatrix.x2.trans", "ldmatrix.x4.trans"}}};
  return kNames[load ? 1 : 0][transposed ? 1 : 0][count / 2];
}

void find_elements(void* const* lanes) {
  for (int lane = 0; lane < 32; ++lane) {
    auto& mine = *static_cast<Rows*>(lanes[lane]);
    for (int i = 0; i < mine.count * 2; ++i) {
      Element e = in_8x8(lane, i % 2, mine.transposed);
      const auto& owner = *static_cast<const Rows*>(lanes[lane_of_row(i / 2, e.row)]);
      mine.elements[i] = owner.row + static_cast<uint32_t>(e.column) * 2;
    }
  }
}

uint16_t& half_at(uint32_t offset) {
  return *reinterpret_cast<uint16_t*>(Engine::running()->block->shared.at(offset));
}

void load_rows(void* const* lanes, uint32_t) {
  find_elements(lanes);
  for (int lane = 0; lane < 32; ++lane) {
    auto& mine = *static_cast<Rows*>(lanes[lane]);
    for (int m = 0; m < mine.count; ++m) {
      uint32_t low = half_at(mine.elements[m * 2]), high = half_at(mine.elements[m * 2 + 1]);
      mine.registers[m] = low | high << 16;
    }
  }
}

void store_rows(void* const* lanes, uint32_t) {
  find_elements(lanes);
  for (int lane = 0; lane < 32; ++lane) {
    auto& mine = *static_cast<Rows*>(lanes[lane]);
    for (int m = 0; m < mine.count; ++m) {
      half_at(mine.elements[m * 2]) = static_cast<uint16_t>(mine.registers[m]);
      half_at(mine.elements[m * 2 + 1]) = static_cast<uint16_t>(mine.registers[m] >> 16);
    }
  }
}

// Every lane accesses the elements of its registers, whoever named their rows.
void move_rows(bool load, Rows& rows, const void* row, const Site& at) {
  const char* what = name_of(load, rows.count, rows.transposed);
  Thread& self = Engine::self(what);
  Engine& engine = Engine::of_this_thread();
  if (self.lane < rows.count * 8) {
    rows.row = shared_range(engine, *self.block, row, kRowBytes, kRowBytes, what, at);
  }
  warp_collective(what, kAll, &rows, load ? load_rows : store_rows, at);
  if (!tsan_enabled()) return;
  for (int i = 0; i < rows.count * 2; ++i) {
    char* element = self.block->shared.at(rows.elements[i]);
    if (load) {
      tsan_read(element, 2);
    } else {
      tsan_write(element, 2);
    }
  }
}

// --- products
// -----------------------------------------------------------------------------------------------------------

struct Fragments {
  MatrixType type;
  const uint32_t *a, *b;
  const float* c;
  float d[4];
};

void multiply(void* const* lanes, uint32_t) {
  MatrixType type = static_cast<const Fragments*>(lanes[0])->type;
  int k = type == MatrixType::tf32 ? 8 : 16;
  float a[16][16], b[16][8], c[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<const Fragments*>(lanes[lane]);
    for (int i = 0; i < k / 2; ++i) {
      Element e = k == 8 ? a_of_m16k8(lane, i) : a_of_m16k16(lane, i);
      a[e.row][e.column] = k == 8 ? value_of_tf32(mine.a[i]) : value_of_half(type, mine.a[i / 2], i);
    }
    for (int i = 0; i < k / 4; ++i) {
      Element e = k == 8 ? b_of_k8n8(lane, i) : b_of_k16n8(lane, i);
      b[e.row][e.column] = k == 8 ? value_of_tf32(mine.b[i]) : value_of_half(type, mine.b[i / 2], i);
    }
    for (int i = 0; i < 4; ++i) {
      Element e = c_of_m16n8(lane, i);
      c[e.row][e.column] = mine.c[i];
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int i = 0; i < k; ++i) add_products(c[row], a[row][i], b[i], 8);
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto& mine = *static_cast<Fragments*>(lanes[lane]);
    for (int i = 0; i < 4; ++i) {
      Element e = c_of_m16n8(lane, i);
      mine.d[i] = c[e.row][e.column];
    }
  }
}

struct Fragments64 {
  double a, b;
  const double* c;
  double d[2];
};

void multiply64(void* const* lanes, uint32_t) {
  double a[8][4], b[4][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<const Fragments64*>(lanes[lane]);
    Element in_a = a_of_m8k4(lane), in_b = b_of_k4n8(lane);
    a[in_a.row][in_a.column] = mine.a;
    b[in_b.row][in_b.column] = mine.b;
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto& mine = *static_cast<Fragments64*>(lanes[lane]);
    for (int i = 0; i < 2; ++i) {
      Element e = c_of_m8n8(lane, i);
      mine.d[i] = mine.c[i];
      for (int k = 0; k < 4; ++k) mine.d[i] = std::fma(a[e.row][k], b[k][e.column], mine.d[i]);
    }
  }
}

}  // namespace

void ldmatrix(int count, bool transposed, const void* row, uint32_t* registers, const Site& at) {
  Rows rows{count, transposed, 0, {}, {}};
  move_rows(true, rows, row, at);
  std::copy_n(rows.registers, count, registers);
}

void stmatrix(int count, bool transposed, void* row, const uint32_t* registers, const Site& at) {
  Rows rows{count, transposed, 0, {}, {}};
  std::copy_n(registers, count, rows.registers);
  move_rows(false, rows, row, at);
}

void mma(MatrixType type, float* d, const uint32_t* a, const uint32_t* b, const float* c, const Site& at) {
  Fragments fragments{type, a, b, c, {}};
  warp_collective(type == MatrixType::tf32 ? "mma.m16n8k8" : "mma.m16n8k16", kAll, &fragments, multiply, at);
  std::copy_n(fragments.d, 4, d);
}

void mma_f64(double* d, double a, double b, const double* c, const Site& at) {
  Fragments64 fragments{a, b, c, {}};
  warp_collective("mma.m8n8k4", kAll, &fragments, multiply64, at);
  std::copy_n(fragments.d, 2, d);
}

uint32_t to_tf32(float x) {
  if (x != x) return 0x7FFFFFFF;
  return (std::bit_cast<uint32_t>(x) + 0x1000) & ~uint32_t{0x1FFF};
}

}  // namespace iskra::sim
