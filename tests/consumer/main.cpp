#include <iskra/iskra.h>
#include <cstdio>

int main() {
  using iskra::Tensor;
  Tensor x = Tensor::of<float>({1, 2, 3, 4}, {2, 2});
  x.set_requires_grad();
  iskra::sum(iskra::matmul(x, x))
      .backward();  // d/dx of 1^T x x 1: row sums of x down the rows + column sums across
  std::printf("%s\n", x.grad().str().c_str());
  return x.grad().to_vector<float>() == std::vector<float>{7, 11, 9, 13} ? 0 : 1;
}
