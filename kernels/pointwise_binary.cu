// Binary pointwise ops on CUDA: see pointwise.cuh.
#include <iskra/kernels/pointwise.cuh>

namespace iskra::kernels {
namespace {

struct Binary {
  static constexpr bool kIntegers = true;
  template <class T>
  DEV static T apply(int op, T a, T b, T, Parameters<T>) {
    if constexpr (std::is_same_v<T, int64_t>) {
      switch (static_cast<BinaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case BinaryOp::name:        \
    return integer_of<integer::name>(a, b);
        ISKRA_ALL_BINARY_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      }
    } else {
      switch (static_cast<BinaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case BinaryOp::name:        \
    return ops::name::f(a, b);
        ISKRA_ALL_BINARY_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      }
    }
    return a;
  }

 private:
  template <auto f>
  DEV static int64_t integer_of(int64_t a, int64_t b) {
    if constexpr (std::is_null_pointer_v<decltype(f)>) {
      return 0;  // never asked for: takes_integers() says no
    } else {
      return f(a, b);
    }
  }
};

struct BinaryDa {
  static constexpr bool kIntegers = false;
  template <class T>
  DEV static T apply(int op, T a, T b, T dy, Parameters<T>) {
    switch (static_cast<BinaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case BinaryOp::name:        \
    return dy * ops::name::da(a, b);
      ISKRA_BINARY_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      default:  // comparisons have no gradient
        return T(0);
    }
  }
};

struct BinaryDb {
  static constexpr bool kIntegers = false;
  template <class T>
  DEV static T apply(int op, T a, T b, T dy, Parameters<T>) {
    switch (static_cast<BinaryOp>(op)) {
#define ISKRA_CASE(name, doc) \
  case BinaryOp::name:        \
    return dy * ops::name::db(a, b);
      ISKRA_BINARY_OPS(ISKRA_CASE)
#undef ISKRA_CASE
      default:
        return T(0);
    }
  }
};

}  // namespace

void binary(Cuda on, BinaryOp op, View a, View b, MutView y) {
  run_on_gpu<Binary>(on, static_cast<int>(op), takes_integers(op), {a, b}, y, {});
}

void binary_backward(Cuda on, BinaryOp op, View a, View b, View dy, MutView da, MutView db) {
  BackwardReads reads = backward_reads(op);
  View a_read = read_if(a, reads.first, dy, name_of(op)), b_read = read_if(b, reads.second, dy, name_of(op));
  if (da.defined()) run_on_gpu<BinaryDa>(on, static_cast<int>(op), false, {a_read, b_read, dy}, da, {});
  if (db.defined()) run_on_gpu<BinaryDb>(on, static_cast<int>(op), false, {a_read, b_read, dy}, db, {});
}

}  // namespace iskra::kernels
