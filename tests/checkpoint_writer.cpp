// Writes checkpoints until it is killed: checkpoint_writer FOLDER FIRST_STEP. After each one that was saved,
// its step goes to stdout as eight bytes.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include <iskra/zoo/weights/checkpoint_files.h>

using iskra::Tensor;

int main(int count, char** words) {
  if (count != 3) return 2;
  try {
    for (int64_t step = std::atoll(words[2]);; ++step) {
      auto value = static_cast<double>(step);
      iskra::zoo::save_checkpoint(
          words[1], {.step = step,
                     .model = {{"w", Tensor::full({97, 31}, value)}, {"b", Tensor::full({31}, value)}},
                     .optimizer = {{"m.w", Tensor::full({97, 31}, -value)}},
                     .state = "{\"step\": " + std::to_string(step) + "}"});
      if (write(STDOUT_FILENO, &step, sizeof(step)) != sizeof(step)) return 1;
    }
  } catch (const iskra::Error& error) {
    std::fprintf(stderr, "checkpoint_writer: %s\n", error.what());
    return 1;
  }
}
