// Rows of ops that make tensors of nothing but numbers.
#include "op_cases.h"

namespace iskra::testing {

void add_create_ops(OpTable&) {}

}  // namespace iskra::testing
