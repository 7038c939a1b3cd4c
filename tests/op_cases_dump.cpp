// Prints the table of op cases as JSON, for tests/golden/make_ops.py.
#include <iostream>

#include "op_cases.h"

int main() {
  iskra::testing::Json rows = iskra::testing::Json::array();
  for (const auto& row : iskra::testing::op_cases()) rows.push_back(row.json());
  std::cout << rows.dump(1) << "\n";
}
