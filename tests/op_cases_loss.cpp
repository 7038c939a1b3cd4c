// Rows of losses.
#include "op_cases.h"

namespace iskra::testing {

namespace {

Reduction reduction_of(const Json& at) {
  const std::string name = at.value("reduction", "mean");
  return name == "none" ? Reduction::none : name == "sum" ? Reduction::sum : Reduction::mean;
}

void add_cross_entropy(OpTable& table) {
  table
      .op("cross_entropy",
          [](const Tensors& x, const Json& at) {
            return cross_entropy(x[0], x[1],
                                 {.smoothing = at.value("smoothing", 0.0),
                                  .ignore_index = at.value("ignore_index", int64_t{-100}),
                                  .weight = nothing_or(x, 2),
                                  .reduction = reduction_of(at)});
          })
      .row("plain", {normal({6, 11}), labels({6}, 11)})
      .row("smoothed", {normal({6, 11}), labels({6}, 11)}, {{"smoothing", 0.125}})
      .row("two_classes", {normal({5, 2}), labels({5}, 2)})
      .row("one_row", {normal({1, 7}), labels({1}, 7)})
      .row("one_class", {normal({4, 1}), labels({4}, 1)}, Json::object(), {.floor = 1})
      .row("wide", {normal({37, 101}), labels({37}, 101)}, {{"smoothing", 0.0625}})
      .row("large", {normal({7, 13}, 1e4), labels({7}, 13)}, {{"smoothing", 0.125}}, {.gradcheck = false})
      .row("shifted", {shifted({7, 13}, 1e3, 1), labels({7}, 13)}, Json::object(),
           {.f32 = 1e-4, .f64 = 1e-11})
      .row("each", {normal({6, 11}), labels({6}, 11)}, {{"smoothing", 0.125}, {"reduction", "none"}})
      .row("sum", {normal({6, 11}), labels({6}, 11)}, {{"reduction", "sum"}})
      .row("weighted", {normal({9, 5}), labels({9}, 5), fixed(positive({5}))})
      .row("weighted_smoothed", {normal({9, 5}), labels({9}, 5), fixed(positive({5}))}, {{"smoothing", 0.25}})
      .row("ignored", {normal({16, 4}), labels({16}, 4)}, {{"ignore_index", 2}})
      .row("ignored_weighted", {normal({16, 4}), labels({16}, 4), fixed(positive({4}))},
           {{"ignore_index", 1}, {"smoothing", 0.25}, {"reduction", "none"}})
      .row("pictures", {normal({2, 5, 3, 4}), labels({2, 3, 4}, 5)}, {{"smoothing", 0.125}})
      .row("pictures_each", {normal({2, 5, 3, 4}), labels({2, 3, 4}, 5)}, {{"reduction", "none"}})
      .row("line", {normal({3, 4, 7}), labels({3, 7}, 4), fixed(positive({4}))})
      .row("soft", {normal({6, 11}), positive({6, 11})})
      .row("soft_smoothed", {normal({6, 11}), positive({6, 11})}, {{"smoothing", 0.125}})
      .row("soft_weighted", {normal({6, 5}), positive({6, 5}), fixed(positive({5}))},
           {{"smoothing", 0.125}, {"reduction", "none"}})
      .row("soft_pictures", {normal({2, 5, 3, 4}), positive({2, 5, 3, 4})}, {{"reduction", "sum"}})
      .row("no_rows", {normal({0, 5}), labels({0}, 5)}, {{"reduction", "sum"}})
      .bench("mini", {normal({1024, 101}), labels({1024}, 101)})
      .bench("vit_b", {normal({64, 1000}), labels({64}, 1000)})
      .bench("imagenet", {normal({256, 1000}), labels({256}, 1000)}, {{"smoothing", 0.125}});
}

void add_nll_loss(OpTable& table) {
  table
      .op("nll_loss",
          [](const Tensors& x, const Json& at) {
            return nll_loss(x[0], x[1],
                            {.ignore_index = at.value("ignore_index", int64_t{-100}),
                             .weight = nothing_or(x, 2),
                             .reduction = reduction_of(at)});
          })
      .row("plain", {normal({6, 11}), labels({6}, 11)})
      .row("weighted", {normal({9, 5}), labels({9}, 5), fixed(positive({5}))})
      .row("ignored", {normal({16, 4}), labels({16}, 4)}, {{"ignore_index", 2}, {"reduction", "none"}})
      .row("pictures", {normal({2, 5, 3, 4}), labels({2, 3, 4}, 5)}, {{"reduction", "sum"}})
      .bench("mini", {normal({1024, 101}), labels({1024}, 101)})
      .bench("vit_b", {normal({64, 1000}), labels({64}, 1000)});
}

void add_binary_cross_entropy(OpTable& table) {
  table
      .op("binary_cross_entropy_with_logits",
          [](const Tensors& x, const Json& at) {
            const bool pos_only = at.value("pos_weight_only", false);
            return binary_cross_entropy_with_logits(x[0], x[1],
                                                    {.weight = pos_only ? Tensor() : nothing_or(x, 2),
                                                     .pos_weight = nothing_or(x, pos_only ? 2 : 3),
                                                     .reduction = reduction_of(at)});
          })
      .row("plain", {normal({6, 11}), positive({6, 11})})
      .row("labels", {normal({6, 11}, 4), fixed(whole({6, 11}, 0, 1))}, {{"reduction", "none"}})
      .row("weighted", {normal({6, 11}), positive({6, 11}), fixed(positive({11}))})
      .row("pos_weight", {normal({6, 11}), positive({6, 11}), fixed(positive({11}))},
           {{"pos_weight_only", true}, {"reduction", "sum"}})
      .row("both_weights",
           {normal({2, 3, 4, 5}), positive({2, 3, 4, 5}), fixed(positive({2, 1, 1, 1})),
            fixed(positive({4, 5}))},
           {{"reduction", "none"}})
      .row("large", {normal({5, 7}, 100), positive({5, 7})}, Json::object(), {.gradcheck = false})
      .row("number", {normal({}), positive({})})
      .bench("mini", {normal({1024, 101}), positive({1024, 101})})
      .bench("large", {normal({1024, 4096}), positive({1024, 4096})});
}

/// Losses of x and t that differ in their formula alone.
Op& add_pair(OpTable& table, const char* name, Op::Run run) {
  return table.op(name, std::move(run))
      .row("plain", {normal({6, 11}), normal({6, 11})})
      .row("each", {normal({2, 3, 4, 5}), normal({2, 3, 4, 5})}, {{"reduction", "none"}})
      .row("sum", {normal({7, 5}), normal({7, 5})}, {{"reduction", "sum"}})
      .row("one", {normal({1}), normal({1})})
      .row("nothing", {normal({0, 3}), normal({0, 3})}, {{"reduction", "sum"}})
      .row("many", {normal({9, 300}), normal({9, 300})})
      .bench("mini", {normal({1024, 101}), normal({1024, 101})})
      .bench("large", {normal({1024, 4096}), normal({1024, 4096})});
}

void add_distances(OpTable& table) {
  add_pair(table, "mse_loss",
           [](const Tensors& x, const Json& at) { return mse_loss(x[0], x[1], reduction_of(at)); });
  add_pair(table, "l1_loss", [](const Tensors& x, const Json& at) {
    return l1_loss(x[0], x[1], reduction_of(at));
  }).row("ties", {integers({6, 11}), integers({6, 11})}, Json::object(), {.gradcheck = false});
  add_pair(table, "smooth_l1_loss",
           [](const Tensors& x, const Json& at) {
             return smooth_l1_loss(x[0], x[1], at.value("beta", 1.0), reduction_of(at));
           })
      .row("beta", {normal({6, 11}), normal({6, 11})}, {{"beta", 0.25}, {"reduction", "none"}})
      .row("beta_zero", {normal({6, 11}), normal({6, 11})}, {{"beta", 0}});
  add_pair(table, "huber_loss", [](const Tensors& x, const Json& at) {
    return huber_loss(x[0], x[1], at.value("delta", 1.0), reduction_of(at));
  }).row("delta", {normal({6, 11}), normal({6, 11})}, {{"delta", 0.25}, {"reduction", "none"}});
}

void add_kl_div(OpTable& table) {
  table
      .op("kl_div",
          [](const Tensors& x, const Json& at) {
            return kl_div(x[0], x[1],
                          {.log_target = at.value("log_target", false), .reduction = reduction_of(at)});
          })
      .row("plain", {normal({6, 11}), positive({6, 11})})
      .row("each", {normal({2, 3, 4, 5}), positive({2, 3, 4, 5})}, {{"reduction", "none"}})
      .row("zeros", {normal({6, 11}), fixed(whole({6, 11}, 0, 2))}, {{"reduction", "sum"}})
      .row("logarithms", {normal({6, 11}), normal({6, 11})}, {{"log_target", true}})
      .row("logarithms_each", {normal({5, 7}), normal({5, 7})}, {{"log_target", true}, {"reduction", "none"}})
      .bench("mini", {normal({1024, 101}), positive({1024, 101})})
      .bench("large", {normal({1024, 4096}), positive({1024, 4096})});
}

void add_cosine_similarity(OpTable& table) {
  table
      .op("cosine_similarity",
          [](const Tensors& x, const Json& at) {
            return cosine_similarity(x[0], x[1], at.value("axis", 1), at.value("eps", 1e-8));
          })
      .row("rows", {normal({5, 12}), normal({5, 12})})
      .row("first", {normal({5, 7}), normal({5, 7})}, {{"axis", 0}})
      .row("channels", {normal({2, 5, 3, 4}), normal({2, 5, 3, 4})})
      .row("vector", {normal({300}), normal({300})}, {{"axis", -1}})
      .row("zeros", {normal({3, 5}, 0), normal({3, 5})}, {{"eps", 0.5}}, {.floor = 1})
      // No gradients: PyTorch differentiates the length that eps took the place of.
      .row("large_eps", {fixed(normal({3, 5})), fixed(normal({3, 5}))}, {{"eps", 1000}})
      .row("no_rows", {normal({0, 5}), normal({0, 5})})
      .bench("mini", {normal({1024, 101}), normal({1024, 101})})
      .bench("large", {normal({4096, 1024}), normal({4096, 1024})});
}

}  // namespace

void add_loss_ops(OpTable& table) {
  add_cross_entropy(table);
  add_nll_loss(table);
  add_binary_cross_entropy(table);
  add_distances(table);
  add_kl_div(table);
  add_cosine_similarity(table);
}

}  // namespace iskra::testing
