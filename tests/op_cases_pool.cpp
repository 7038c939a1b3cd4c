// Rows of pooling and of resizing.
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
            read_pair(at, "dilation", options.dilation);
            options.ceil_mode = at.value("ceil_mode", false);
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
      .row("dilated", {apart({2, 3, 9, 8})}, {{"size", {3, 2}}, {"stride", {1, 2}}, {"dilation", {2, 3}}})
      .row("dilated_padded", {apart({1, 3, 7, 7})},
           {{"size", {3, 3}}, {"stride", {2, 1}}, {"padding", {1, 1}}, {"dilation", {2, 2}}})
      .row("ceil", {apart({2, 3, 6, 7})}, {{"size", {3, 3}}, {"stride", {2, 2}}, {"ceil_mode", true}})
      .row("ceil_padded", {apart({1, 2, 5, 5})},
           {{"size", {2, 2}}, {"stride", {3, 3}}, {"padding", {1, 1}}, {"ceil_mode", true}})
      .row("wide", {wide({1, 3, 6, 6}, -30, 30)}, Json::object(), {.floor = 0, .gradcheck = false})
      .bench("mini", {pictures({16, 32, 28, 28})})
      .bench("vgg16_first", {pictures({4, 64, 224, 224})});
}

void add_avg_pool2d(OpTable& table) {
  table
      .op("avg_pool2d",
          [](const Tensors& x, const Json& at) {
            Pool2dOptions options;
            read_pair(at, "size", options.size);
            read_pair(at, "stride", options.stride);
            read_pair(at, "padding", options.padding);
            options.ceil_mode = at.value("ceil_mode", false);
            options.count_include_pad = at.value("count_include_pad", true);
            return avg_pool2d(x[0], options);
          })
      .row("plain", {normal({2, 3, 6, 4})})
      .row("odd", {normal({1, 2, 7, 5})})
      .row("overlap", {normal({2, 3, 7, 7})}, {{"size", {3, 3}}, {"stride", {2, 2}}})
      .row("padded", {normal({2, 5, 7, 6})}, {{"size", {3, 3}}, {"stride", {2, 2}}, {"padding", {1, 1}}})
      .row("padded_uncounted", {normal({2, 5, 7, 6})},
           {{"size", {3, 3}}, {"stride", {2, 2}}, {"padding", {1, 1}}, {"count_include_pad", false}})
      .row("ceil", {normal({2, 3, 6, 7})},
           {{"size", {3, 3}}, {"stride", {2, 2}}, {"padding", {1, 1}}, {"ceil_mode", true}})
      .row("ceil_uncounted", {normal({1, 2, 6, 6})},
           {{"size", {3, 2}}, {"stride", {2, 3}}, {"ceil_mode", true}, {"count_include_pad", false}})
      .row("uneven", {normal({1, 3, 7, 8})}, {{"size", {3, 2}}, {"stride", {1, 3}}, {"padding", {1, 0}}})
      .row("no_pictures", {normal({0, 3, 4, 4})})
      .bench("mini", {pictures({16, 32, 28, 28})})
      .bench("vgg16_first", {pictures({4, 64, 224, 224})});
}

/// Rows of a pooling to a given size.
void add_adaptive(Op& op) {
  auto to = [](int height, int width) { return Json{{"height", height}, {"width", width}}; };
  op.row("halves", {apart({2, 3, 6, 4})}, to(3, 2))
      .row("whole", {apart({2, 5, 7, 6})}, to(1, 1))
      .row("uneven", {apart({1, 3, 7, 8})}, to(3, 5))
      .row("same", {apart({1, 2, 4, 5})}, to(4, 5))
      .row("larger", {apart({1, 2, 3, 4})}, to(7, 6))
      .row("no_pictures", {apart({0, 3, 4, 4})}, to(2, 2))
      .bench("mini", {pictures({16, 32, 28, 28})}, to(7, 7))
      .bench("vgg16", {pictures({64, 512, 14, 14})}, to(7, 7));
}

void add_adaptive_pools(OpTable& table) {
  add_adaptive(table.op("adaptive_avg_pool2d", [](const Tensors& x, const Json& at) {
    return adaptive_avg_pool2d(x[0], at["height"], at["width"]);
  }));
  add_adaptive(table.op("adaptive_max_pool2d", [](const Tensors& x, const Json& at) {
    return adaptive_max_pool2d(x[0], at["height"], at["width"]);
  }));
}

Interpolation mode_of(const Json& at) {
  const std::string name = at.value("mode", "nearest");
  return name == "bilinear"  ? Interpolation::bilinear
         : name == "bicubic" ? Interpolation::bicubic
                             : Interpolation::nearest;
}

void add_interpolate(OpTable& table) {
  Op& op = table.op("interpolate", [](const Tensors& x, const Json& at) {
    InterpolateOptions options;
    read_pair(at, "size", options.size);
    if (at.contains("scale")) {
      options.scale[0] = at["scale"][0];
      options.scale[1] = at["scale"][1];
    }
    options.mode = mode_of(at);
    options.align_corners = at.value("align_corners", false);
    options.antialias = at.value("antialias", false);
    return interpolate(x[0], options);
  });
  op.row("nearest_up", {normal({2, 3, 4, 5})}, {{"size", {8, 13}}})
      .row("nearest_down", {normal({2, 3, 9, 7})}, {{"size", {4, 3}}})
      .row("nearest_scale", {normal({1, 3, 5, 4})}, {{"scale", {1.7, 2.0}}});
  // Weights of the gradient add up with either sign.
  const Tolerance sums{.f32 = 4e-6, .half_gradient = 6};
  for (const std::string mode : {"bilinear", "bicubic"}) {
    op.row(mode + "_up", {normal({2, 3, 4, 5})}, {{"mode", mode}, {"size", {7, 11}}}, sums)
        .row(mode + "_down", {normal({2, 3, 11, 9})}, {{"mode", mode}, {"size", {4, 5}}}, sums)
        .row(mode + "_corners", {normal({1, 3, 4, 5})},
             {{"mode", mode}, {"size", {7, 1}}, {"align_corners", true}}, sums)
        .row(mode + "_corners_down", {normal({1, 3, 9, 8})},
             {{"mode", mode}, {"size", {4, 3}}, {"align_corners", true}}, sums)
        .row(mode + "_scale", {normal({1, 2, 5, 7})}, {{"mode", mode}, {"scale", {1.5, 0.6}}}, sums)
        .row(mode + "_antialias_down", {normal({2, 3, 14, 13})},
             {{"mode", mode}, {"size", {5, 4}}, {"antialias", true}}, sums)
        .row(mode + "_antialias_up", {normal({1, 3, 4, 5})},
             {{"mode", mode}, {"size", {7, 11}}, {"antialias", true}}, sums)
        .row(mode + "_one_pixel", {normal({2, 3, 1, 1})}, {{"mode", mode}, {"size", {3, 2}}}, sums)
        .row(mode + "_no_pictures", {normal({0, 3, 4, 4})}, {{"mode", mode}, {"size", {2, 6}}});
  }
  op.bench("mini", {pictures({4, 16, 28, 28})}, {{"mode", "bilinear"}, {"size", {41, 41}}})
      .bench("positions_384", {pictures({1, 768, 14, 14})},
             {{"mode", "bicubic"}, {"antialias", true}, {"size", {24, 24}}})
      .bench("pictures_224", {pictures({8, 3, 512, 512})},
             {{"mode", "bilinear"}, {"antialias", true}, {"size", {224, 224}}})
      .bench("features_double", {pictures({8, 64, 112, 112})}, {{"mode", "bilinear"}, {"size", {224, 224}}});
}

}  // namespace

void add_pool_ops(OpTable& table) {
  add_max_pool2d(table);
  add_avg_pool2d(table);
  add_adaptive_pools(table);
  add_interpolate(table);
}

}  // namespace iskra::testing
