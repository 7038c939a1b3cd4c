// Misuses of creation, joining, choosing and ordering.
#include "misuses.h"

namespace iskra::testing {

namespace {

const Tensor kNothing;

Tensor ids(std::initializer_list<int64_t> values) {
  return Tensor::of(values, {static_cast<int64_t>(values.size())});
}
Tensor mask(const Shape& shape) { return Tensor::zeros(shape, {.dtype = DType::boolean}); }

std::vector<Misuse> creation_misuses() {
  return {
      ISKRA_MISUSED("arange", arange(-1), "arange: -1 numbers; the count must not be negative"),
      ISKRA_MISUSED("arange", arange(0, 1, 0),
                    "arange: from 0 to 1 in steps of 0; all must be finite, and the "
                    "step not zero"),
      ISKRA_MISUSED("linspace", linspace(0, 1, -1), "linspace: -1 numbers; the count must not be negative"),
      ISKRA_MISUSED("linspace", linspace(0, 1, 5, {.dtype = DType::i64}),
                    "linspace: in i64; ask for a floating dtype"),
      ISKRA_MISUSED("eye", eye(-1), "eye: shape (-1, -1) has a negative size"),
      ISKRA_MISUSED("one_hot", one_hot(floats({2}), 3),
                    "one_hot: the indices are f32 (2) cpu; they must be i64 or i32, convert them with "
                    "to(DType::i64)"),
      ISKRA_MISUSED("one_hot", one_hot(ids({0, 3}), 3),
                    "one_hot: index 3 at position (1, 0) is out of range; the indexed axis has size 3, so "
                    "indices lie in [0, 3)"),
      ISKRA_MISUSED("one_hot", one_hot(kNothing, 3),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
  };
}

std::vector<Misuse> joining_misuses() {
  return {
      ISKRA_MISUSED("cat", cat({}, 0), "cat: the list of tensors is empty; it must name at least one"),
      ISKRA_MISUSED("cat", cat({floats({2, 3}), floats({2, 4})}, 0),
                    "cat: the tensors f32 (2, 3) cpu and f32 (2, 4) cpu differ in more than axis 0; reshape, "
                    "expand or pad one"),
      ISKRA_MISUSED("cat", cat({floats({2, 3}), floats({3})}, 0),
                    "cat: the tensors f32 (2, 3) cpu and f32 (3) cpu differ in more than axis 0; reshape, "
                    "expand or pad one"),
      ISKRA_MISUSED("cat", cat({floats({2})}, 1), "cat: axis 1 is outside a tensor of rank 1; use -1 to 0"),
      ISKRA_MISUSED("cat", cat({floats({2}), kNothing}, 0),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
      ISKRA_MISUSED("cat", cat({floats({}), floats({})}, 0),
                    "cat: axis 0 of a tensor without axes, which holds one number"),
      ISKRA_MISUSED("stack", stack({}), "stack: the list of tensors is empty; it must name at least one"),
      ISKRA_MISUSED(
          "stack", stack({floats({2, 3}), floats({3, 2})}),
          "stack: the tensors f32 (2, 3) cpu and f32 (3, 2) cpu differ in shape; expand or reshape one"),
      ISKRA_MISUSED("stack", stack({floats({2, 3})}, 3),
                    "stack: axis 3 is outside a tensor of rank 3; use -3 to 2"),
      ISKRA_MISUSED("split", split(floats({5, 2}), std::vector<int64_t>{2, 2}),
                    "split: the sizes of 2 parts sum up to 4, and axis 0 of f32 (5, 2) cpu has 5 elements; "
                    "they must be equal"),
      ISKRA_MISUSED("split", split(floats({5, 2}), std::vector<int64_t>{6, -1}),
                    "split: size -1 is negative"),
      ISKRA_MISUSED("split", split(floats({5, 2}), 0),
                    "split: parts of 0 elements; the size must be positive"),
      ISKRA_MISUSED("chunk", chunk(floats({5, 2}), 0), "chunk: 0 parts; the count must be positive"),
      ISKRA_MISUSED("repeat", repeat(floats({2, 3}), {2}),
                    "repeat: 1 counts for f32 (2, 3) cpu; there must be one for each axis, and at most 8"),
      ISKRA_MISUSED("repeat", repeat(floats({2, 3}), {2, -1}), "repeat: count -1 of axis 1 is negative"),
      ISKRA_MISUSED("flip", flip(floats({2, 3}), {2}),
                    "flip: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("flip", flip(floats({2, 3}), {1, -1}),
                    "flip: axis -1 of f32 (2, 3) cpu is named twice; name it once"),
      ISKRA_MISUSED("roll", roll(floats({2, 3}), {1, 2}, {0}),
                    "roll: 2 shifts for 1 axes; there must be one for each axis"),
      ISKRA_MISUSED(
          "pad", pad(floats({2, 3}), {1}),
          "pad: 1 amounts for f32 (2, 3) cpu; there must be two for each padded axis, the last axis first"),
      ISKRA_MISUSED(
          "pad", pad(floats({2, 3}), {1, 1, 1, 1, 1, 1}),
          "pad: 6 amounts for f32 (2, 3) cpu; there must be two for each padded axis, the last axis first"),
      ISKRA_MISUSED("pad", pad(floats({2, 3}), {-2, -2}),
                    "pad: cuts 2 and 2 elements from the 3 of axis 1 of f32 (2, 3) cpu; cut fewer"),
      ISKRA_MISUSED("pad", pad(floats({2, 3}), {3, 0}, Padding::reflect),
                    "pad: 3 and 0 elements at axis 1 of f32 (2, 3) cpu; reflection needs more elements than "
                    "it adds, wrapping at least as many, a border one"),
      ISKRA_MISUSED("tril", tril(floats({3})),
                    "tril: the input is f32 (3) cpu; it must have at least two axes"),
      ISKRA_MISUSED("triu", triu(kNothing),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
  };
}

std::vector<Misuse> choosing_misuses() {
  return {
      ISKRA_MISUSED("gather", gather(floats({2, 3}), 1, longs({2})),
                    "gather: the indices are i64 (2) cpu and the tensor f32 (2, 3) cpu; they must have "
                    "equally many axes"),
      ISKRA_MISUSED("gather", gather(floats({2, 3}), 1, floats({2, 1})),
                    "gather: the indices are f32 (2, 1) cpu; they must be i64 or i32, convert them with "
                    "to(DType::i64)"),
      ISKRA_MISUSED("gather", gather(floats({3}), 0, ids({0, 3})),
                    "gather: index 3 at position (1) is out of range; the indexed axis has size 3, so "
                    "indices lie in [0, 3)"),
      ISKRA_MISUSED("gather", gather(floats({3}), 0, ids({-1})),
                    "gather: index -1 at position (0) is out of range; the indexed axis has size 3, so "
                    "indices lie in [0, 3)"),
      ISKRA_MISUSED("gather", gather(floats({2, 3}), 1, longs({3, 1})),
                    "gather: the indices are i64 (3, 1) cpu and the tensor f32 (2, 3) cpu; axis 0 of the "
                    "indices must not be longer"),
      ISKRA_MISUSED("take_along", take_along(floats({2, 3}), longs({3, 1}), 1),
                    "take_along: shapes (2, 1) and (3, 1) do not broadcast: sizes 2 and 3 at dimension -2 "
                    "must be equal, or one of them 1"),
      ISKRA_MISUSED("index_select", index_select(floats({2, 3}), 0, longs({2, 2})),
                    "index_select: the indices are i64 (2, 2) cpu; they must be a list (R), flatten() them"),
      ISKRA_MISUSED("index_select", index_select(floats({2, 3}), 0, ids({2})),
                    "index_select: index 2 at position (0) is out of range; the indexed axis has size 2, so "
                    "indices lie in [0, 2)"),
      ISKRA_MISUSED("index_select", index_select(floats({2, 3}), 2, ids({0})),
                    "index_select: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("scatter", scatter(floats({3}), 0, ids({0, 1}), doubles({2})),
                    "scatter: the source is f64 (2) cpu and the tensor f32 (3) cpu; both must have one dtype "
                    "and device"),
      ISKRA_MISUSED("scatter", scatter(floats({3}), 0, ids({0, 3}), floats({2})),
                    "scatter: index 3 at position (1) is out of range; the indexed axis has size 3, so "
                    "indices lie in [0, 3)"),
      ISKRA_MISUSED("scatter", scatter(floats({3}), 0, ids({0, 1}), floats({3})),
                    "expand: shapes (3) and (2) do not broadcast: sizes 3 and 2 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED("scatter_add", scatter_add(mask({3}), 0, ids({0}), mask({1})),
                    "scatter_add: the tensor is bool (3) cpu; there are no sums of bool, convert it to an "
                    "integer first"),
      ISKRA_MISUSED("scatter_add", scatter_add(floats({3}), 0, ids({5}), floats({1})),
                    "scatter_add: index 5 at position (0) is out of range; the indexed axis has size 3, so "
                    "indices lie in [0, 3)"),
      ISKRA_MISUSED("embedding", embedding(floats({2}), floats({5, 4})),
                    "embedding: the indices are f32 (2) cpu; they must be i64 or i32, convert them with "
                    "to(DType::i64)"),
      ISKRA_MISUSED("embedding", embedding(ids({5}), floats({5, 4})),
                    "embedding: index 5 at position (0) is out of range; the indexed axis has size 5, so "
                    "indices lie in [0, 5)"),
      ISKRA_MISUSED("embedding", embedding(ids({0}), floats({5})),
                    "embedding: the weight is f32 (5) cpu; it must be a matrix, a row for each id"),
      ISKRA_MISUSED("embedding", embedding(ids({0}), floats({5, 4}), 5),
                    "embedding: the padding id is 5 and the weight f32 (5, 4) cpu; it must lie in [0, 5)"),
      ISKRA_MISUSED("where", where(floats({2}), floats({2}), floats({2})),
                    "where: the mask is f32 (2) cpu; it must be bool, convert it with to(DType::boolean)"),
      ISKRA_MISUSED("where", where(mask({2}), floats({3}), floats({3})),
                    "where: shapes (2) and (3) do not broadcast: sizes 2 and 3 at dimension -1 must be "
                    "equal, or one of them 1"),
      ISKRA_MISUSED(
          "masked_fill", masked_fill(floats({2}), floats({2}), 0),
          "masked_fill: the mask is f32 (2) cpu; it must be bool, convert it with to(DType::boolean)"),
      ISKRA_MISUSED("masked_fill", masked_fill(floats({2, 3}), mask({2}), 0),
                    "masked_fill: shapes (2) and (2, 3) do not broadcast: sizes 2 and 3 at dimension -1 must "
                    "be equal, or one of them 1"),
      ISKRA_MISUSED(
          "masked_select", masked_select(floats({2}), longs({2})),
          "masked_select: the mask is i64 (2) cpu; it must be bool, convert it with to(DType::boolean)"),
      ISKRA_MISUSED("nonzero", nonzero(kNothing),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
      ISKRA_MISUSED("bincount", bincount(floats({2})),
                    "bincount: the input is f32 (2) cpu; it must be a list of integers"),
      ISKRA_MISUSED("bincount", bincount(ids({1, -2})),
                    "bincount: the input i64 (2) cpu holds -2; its numbers must not be negative"),
      ISKRA_MISUSED("bincount", bincount(ids({1, 2}), floats({3})),
                    "bincount: the weights are f32 (3) cpu and the input i64 (2) cpu; both must have one "
                    "shape and device"),
  };
}

std::vector<Misuse> ordering_misuses() {
  return {
      ISKRA_MISUSED("sort", sort(floats({2, 3}), 2),
                    "sort: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("sort", sort(kNothing),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
      ISKRA_MISUSED("argsort", argsort(floats({2, 3}), -3),
                    "argsort: axis -3 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("topk", topk(floats({2, 3}), 4),
                    "topk: k is 4 and axis -1 of f32 (2, 3) cpu has 3 elements; k must lie in [0, 3]"),
      ISKRA_MISUSED("topk", topk(floats({2, 3}), -1),
                    "topk: k is -1 and axis -1 of f32 (2, 3) cpu has 3 elements; k must lie in [0, 3]"),
      ISKRA_MISUSED("argmax", argmax(floats({2, 0})),
                    "argmax: axis -1 of f32 (2, 0) cpu is empty; it must have at least one element"),
      ISKRA_MISUSED("argmax", argmax(kNothing),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
      ISKRA_MISUSED("argmin", argmin(floats({2, 3}), 2),
                    "argmin: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("argmin", argmin(floats({0, 3}), 0),
                    "argmin: axis 0 of f32 (0, 3) cpu is empty; it must have at least one element"),
      ISKRA_MISUSED("max", max(floats({2, 0}), 1),
                    "max: axis 1 of f32 (2, 0) cpu is empty; it must have at least one element"),
      ISKRA_MISUSED("max", max(kNothing, 0),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
      ISKRA_MISUSED("min", min(floats({2, 3}), 2), "min: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("cumsum", cumsum(floats({2, 3}), 2),
                    "cumsum: axis 2 is outside a tensor of rank 2; use -2 to 1"),
      ISKRA_MISUSED("cumsum", cumsum(kNothing, 0),
                    "this Tensor is undefined (default-constructed, or moved from); give it a value first"),
  };
}

}  // namespace

std::vector<Misuse> index_misuses() {
  std::vector<Misuse> all;
  for (auto part : {creation_misuses, joining_misuses, choosing_misuses, ordering_misuses}) {
    for (Misuse& misuse : part()) all.push_back(std::move(misuse));
  }
  return all;
}

}  // namespace iskra::testing
