// Rows of ops that choose elements by index.
#include "op_cases.h"

namespace iskra::testing {

void add_index_ops(OpTable&) {}

}  // namespace iskra::testing
