// Which elements of a matrix a lane holds: the layouts of fragments that the PTX manual draws for mma,
// ldmatrix, stmatrix and wgmma, as functions. The emulator's instructions are made of them, and kernels take
// them where they store what an instruction gave them.
//
// Names are those of the manual's pictures: a group is four lanes that follow one another, of which a warp
// has eight; each has a row (of A and of C) or a column (of B), and the lanes of a group share what lies in
// it.
#pragma once

#include <iskra/kernels/host_device.h>

namespace iskra::sim {

/// An element's place. B has k rows and n columns.
struct Element {
  int row, column;
};

ISKRA_HD constexpr int group_of(int lane) { return lane / 4; }
ISKRA_HD constexpr int lane_in_group(int lane) { return lane % 4; }

// --- mma.m16n8k16 of 16-bit elements: two in each register, the first in the low half
// -----------------------------------------------------------------------------------------------------------

/// i: 0 … 7. Quarters of 8 x 8: registers 0 and 1 hold the upper and the lower left one, 2 and 3 the right
/// ones.
ISKRA_HD constexpr Element a_of_m16k16(int lane, int i) {
  return {group_of(lane) + (i / 2 % 2) * 8, lane_in_group(lane) * 2 + i % 2 + i / 4 * 8};
}
/// i: 0 … 3. Register 0 holds the upper half, 1 the lower one; both elements of one lie in one column.
ISKRA_HD constexpr Element b_of_k16n8(int lane, int i) {
  return {lane_in_group(lane) * 2 + i % 2 + i / 2 * 8, group_of(lane)};
}
/// i: 0 … 3; the same for all shapes m16n8.
ISKRA_HD constexpr Element c_of_m16n8(int lane, int i) {
  return {group_of(lane) + i / 2 * 8, lane_in_group(lane) * 2 + i % 2};
}

// --- mma.m16n8k8 of tf32: one element in each register
// -----------------------------------------------------------------------------------------------------------

/// i: 0 … 3
ISKRA_HD constexpr Element a_of_m16k8(int lane, int i) {
  return {group_of(lane) + i % 2 * 8, lane_in_group(lane) + i / 2 * 4};
}
/// i: 0, 1
ISKRA_HD constexpr Element b_of_k8n8(int lane, int i) {
  return {lane_in_group(lane) + i * 4, group_of(lane)};
}

// --- mma.m8n8k4 of f64: one element of A, one of B and two of C
// -----------------------------------------------------------------------------------------------------------

ISKRA_HD constexpr Element a_of_m8k4(int lane) { return {group_of(lane), lane_in_group(lane)}; }
ISKRA_HD constexpr Element b_of_k4n8(int lane) { return {lane_in_group(lane), group_of(lane)}; }
/// i: 0, 1
ISKRA_HD constexpr Element c_of_m8n8(int lane, int i) {
  return {group_of(lane), lane_in_group(lane) * 2 + i};
}

// --- ldmatrix and stmatrix: one register for each matrix of 8 x 8 16-bit elements
// -----------------------------------------------------------------------------------------------------------

/// i: 0, 1. With .trans, of the matrix whose rows lie in memory, it is the element of the mirrored place.
ISKRA_HD constexpr Element in_8x8(int lane, int i, bool transposed) {
  int along = group_of(lane), across = lane_in_group(lane) * 2 + i;
  return transposed ? Element{across, along} : Element{along, across};
}
/// The lane that brings the address of a row of matrix m.
ISKRA_HD constexpr int lane_of_row(int m, int row) { return m * 8 + row; }

// --- wgmma: `thread` is 0 … 127 in the warpgroup, and each of its four warps has 16 rows
// -----------------------------------------------------------------------------------------------------------

/// A in registers, 16-bit elements; i: 0 … 7.
ISKRA_HD constexpr Element a_of_m64k16(int thread, int i) {
  Element e = a_of_m16k16(thread % 32, i);
  return {thread / 32 * 16 + e.row, e.column};
}
/// A in registers, tf32; i: 0 … 3.
ISKRA_HD constexpr Element a_of_m64k8(int thread, int i) {
  Element e = a_of_m16k8(thread % 32, i);
  return {thread / 32 * 16 + e.row, e.column};
}
/// Accumulators of m64nN; i: 0 … N/2 - 1, four for each eight columns.
ISKRA_HD constexpr Element c_of_m64(int thread, int i) {
  Element e = c_of_m16n8(thread % 32, i % 4);
  return {thread / 32 * 16 + e.row, i / 4 * 8 + e.column};
}

}  // namespace iskra::sim
