#include <iskra/core/checkpoint.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <iskra/core/autocast.h>
#include <iskra/core/backward_pass.h>
#include <iskra/core/random.h>

namespace iskra {
namespace {

using detail::GradMeta;

// Notes what requires a gradient among all that ops are given, though nothing is recorded.
class Probe {
 public:
  Probe() : before_(detail::current_probe) { detail::current_probe = &seen_; }
  ~Probe() {
    detail::current_probe = before_;
    if (before_ != nullptr) before_->insert(before_->end(), seen_.begin(), seen_.end());
  }
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  const std::vector<Tensor>& seen() const { return seen_; }

 private:
  std::vector<Tensor>* before_;
  std::vector<Tensor> seen_;
};

// What the backward pass needs to run a segment again.
struct Kept {
  Segment segment;
  std::vector<Tensor> inputs;                     // without a graph
  std::vector<Tensor> others;                     // the memory of what else the segment uses: must not change
  std::vector<std::shared_ptr<GradMeta>> places;  // of inputs and others on the tape; null: takes no gradient
  detail::RngSnapshot draws;
  Context settings;
  Shape shape;
  DType dtype;
};

class Under {
 public:
  explicit Under(const Context& settings) : before_(context()) { context() = settings; }
  ~Under() { context() = before_; }
  Under(const Under&) = delete;
  Under& operator=(const Under&) = delete;

 private:
  Context before_;
};

Tensor recompute(const Kept& kept, const std::vector<Tensor>& inputs) {
  RngReplay replay(kept.draws);
  detail::NoCastCache fresh;
  const Under settings(kept.settings);
  Tensor y = kept.segment(inputs);
  ISKRA_CHECK(y.defined() && y.shape() == kept.shape && y.dtype() == kept.dtype,
              "checkpoint: the segment gave ", name_of(kept.dtype), " ", kept.shape, " at first and ",
              y.str(), " when run again; it must depend on its inputs alone");
  return y;
}

void backpropagate(const Kept& kept, const Tensor& dy, Wanted wanted, Sinks& to) {
  std::vector<Tensor> leaves;
  for (size_t i = 0; i < kept.inputs.size(); ++i) {
    leaves.push_back(kept.inputs[i].detach());
    if (kept.places[i]) leaves.back().set_requires_grad();
  }
  Tensor y = recompute(kept, leaves);
  if (!y.requires_grad()) return;
  // Gradients go straight to the sinks of the outer pass, in the order in which a plain call would give them.
  detail::Pass pass({{y.impl()->meta, dy}});
  for (size_t i = 0; i < kept.places.size(); ++i) {
    const int input = static_cast<int>(i);
    if (!kept.places[i] || !wanted[input]) continue;
    pass.forward(*kept.places[i], to, input);  // also where the segment uses an input behind our back
    if (i < leaves.size()) pass.forward(*leaves[i].impl()->meta, to, input);
  }
  NoGrad no_grad;
  pass.run_first();
}

std::shared_ptr<GradMeta> place_of(const Tensor& x) { return x.requires_grad() ? x.impl()->meta : nullptr; }

}  // namespace

Tensor checkpoint(const Segment& segment, const std::vector<Tensor>& inputs, Caller caller) {
  if (!context().grad_enabled) return segment(inputs);
  Kept kept;
  kept.segment = segment;
  kept.settings = context();
  std::vector<Tensor> all = inputs;
  Tensor y;
  {
    Probe probe;
    NoGrad no_grad;
    detail::NoCastCache fresh;
    y = segment(inputs);
    for (const Tensor& x : probe.seen()) {
      auto known = [&](const Tensor& other) {
        return other.defined() && other.impl()->meta == x.impl()->meta;
      };
      if (std::none_of(all.begin(), all.end(), known)) all.push_back(x);
    }
    if (probe.seen().empty()) return y;
  }
  detail::OpScope scope("checkpoint", caller);
  ISKRA_CHECK(y.defined(), "checkpoint: the segment gave an undefined Tensor");
  for (size_t i = 0; i < all.size(); ++i) {
    kept.places.push_back(place_of(all[i]));
    Tensor data = all[i].defined() ? all[i].detach() : Tensor();
    (i < inputs.size() ? kept.inputs : kept.others).push_back(data);
  }
  kept.shape = y.shape();
  kept.dtype = y.dtype();
  return detail::record_node(
      "checkpoint", y.detach(), all,
      [kept](const Tensor& dy, Wanted wanted, Sinks& to) { backpropagate(kept, dy, wanted, to); });
}

}  // namespace iskra
