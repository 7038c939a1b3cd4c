// Rows of what is done to pictures.
#include "op_cases.h"

namespace iskra::testing {

namespace {

void add_normalize_images(OpTable& table) {
  table
      .op("normalize_images",
          [](const Tensors& x, const Json& at) {
            return normalize_images(x[0], at["mean"].get<std::vector<float>>(),
                                    at["std"].get<std::vector<float>>(),
                                    at.value("f64", false) ? DType::f64 : DType::f32);
          })
      .takes({DType::u8})
      .row("rgb", {bytes({2, 5, 7, 3})}, {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}})
      .row("grey", {bytes({3, 4, 4, 1})}, {{"mean", {0.28125}}, {"std", {0.34375}}})
      .row("f64", {bytes({1, 3, 3, 3})},
           {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}, {"f64", true}})
      .row("none", {bytes({0, 4, 4, 1})}, {{"mean", {0.5}}, {"std", {0.5}}})
      .bench("mini", {bytes({64, 28, 28, 1})}, {{"mean", {0.5}}, {"std", {0.5}}})
      .bench("imagenet", {bytes({16, 224, 224, 3})},
             {{"mean", {0.5, 0.25, 0.375}}, {"std", {0.25, 0.5, 0.125}}});
}

}  // namespace

void add_image_ops(OpTable& table) { add_normalize_images(table); }

}  // namespace iskra::testing
