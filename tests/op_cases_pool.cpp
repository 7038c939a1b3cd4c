// Rows of pooling.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_max_pool2d(OpTable& table) {
  table
      .op("max_pool2d",
          [](const Tensors& x, const Json& at) {
            Pool2dOptions options;
            read_pair(at, "size", options.size);
            read_pair(at, "stride", options.stride);
            read_pair(at, "padding", options.padding);
            return max_pool2d(x[0], options);
          })
      .row("plain", {apart({2, 3, 6, 4})})
      .row("odd", {apart({1, 2, 7, 5})})
      .row("overlap", {apart({2, 3, 7, 7})}, {{"size", {3, 3}}, {"stride", {2, 2}}})
      .row("padded", {apart({2, 5, 7, 6})}, {{"size", {3, 3}}, {"stride", {2, 2}}, {"padding", {1, 1}}})
      .row("uneven", {apart({1, 3, 7, 8})}, {{"size", {3, 2}}, {"stride", {1, 3}}, {"padding", {1, 0}}})
      .row("ties", {integers({2, 3, 6, 6})}, {{"size", {3, 3}}, {"stride", {1, 1}}}, {.gradcheck = false})
      .row("whole_image", {apart({2, 3, 4, 5})}, {{"size", {4, 5}}, {"stride", {1, 1}}})
      .row("no_pictures", {apart({0, 3, 4, 4})})
      .row("wide", {wide({1, 3, 6, 6}, -30, 30)}, Json::object(), {.floor = 0, .gradcheck = false})
      .bench("mini", {pictures({16, 32, 28, 28})})
      .bench("vgg16_first", {pictures({4, 64, 224, 224})});
}

}  // namespace

void add_pool_ops(OpTable& table) { add_max_pool2d(table); }

}  // namespace iskra::testing
