// Prints the table of op cases as JSON, family by family, for tests/golden/make_ops.py.
#include <iostream>

#include "op_cases.h"

int main() {
  iskra::testing::Json families = iskra::testing::Json::object();
  for (const auto& row : iskra::testing::op_cases()) families[row.op->family].push_back(row.json());
  std::cout << families.dump(1) << "\n";
}
