#include <iskra/nn/module.h>

#include <iskra/core/random.h>
#include <iskra/nn/walk.h>

namespace iskra::nn {

Tensor parameter(const Shape& shape) {
  MemoryScope scope(MemoryTag::parameters);
  return Tensor::empty(shape).set_requires_grad();
}

// Tells direct children the names their parent knows them by. Written only when new, so that concurrent
// evaluation of one model stays free of races.
class NameFields final : public Fields {
 private:
  void parameter_(std::string_view, Tensor&) override {}
  void buffer_(std::string_view, Tensor&) override {}
  void child_(std::string_view name, Module& child) override {
    if (child.name_ != name) child.name_ = name;
  }
};

Tensor Module::forward(const Tensor&) {
  throw Error("Module: this module has no forward(const Tensor&); override it, or call its own function");
}

Tensor Module::operator()(const Tensor& x) {
  name_children();
  RngPlace place(name_);
  return forward(x);
}

void Module::fields(Fields&) {}

void Module::name_children() {
  NameFields names;
  fields(names);
}

std::vector<Named> Module::state() {
  std::vector<Named> all;
  walk(*this,
       {.on_tensor = [&](const std::string& name, Tensor& tensor, bool) { all.push_back({name, tensor}); },
        .on_module = {}});
  return all;
}

std::vector<Named> Module::parameters() {
  std::vector<Named> all;
  auto seen = [&](const Tensor& tensor) {
    for (const Named& other : all) {
      if (other.tensor.same(tensor)) return true;
    }
    return false;
  };
  walk(*this, {.on_tensor =
                   [&](const std::string& name, Tensor& tensor, bool trained) {
                     if (trained && !seen(tensor)) all.push_back({name, tensor});
                   },
               .on_module = {}});
  return all;
}

int64_t Module::parameter_count() {
  int64_t count = 0;
  for (const Named& parameter : parameters()) count += parameter.tensor.numel();
  return count;
}

void Module::train(bool on) {
  training_ = on;
  walk(*this,
       {.on_tensor = {}, .on_module = [on](const std::string&, Module& module) { module.training_ = on; }});
}

void Module::to(Device device) {
  NoGrad no_grad;
  for (Named& each : state()) each.tensor.set_data(each.tensor.to(device).detach());
}

void Module::to(DType dtype) {
  ISKRA_CHECK(is_floating(dtype), "Module::to: parameters cannot be ", name_of(dtype),
              "; use a floating dtype");
  NoGrad no_grad;
  for (Named& each : state()) {
    if (is_floating(each.tensor.dtype())) each.tensor.set_data(each.tensor.to(dtype).detach());
  }
}

namespace {

int switch_grad(Module& module, const std::string& pattern, bool on) {
  int count = 0;
  for (Named& parameter : module.parameters()) {
    if (!matches(pattern, parameter.name)) continue;
    parameter.tensor.set_requires_grad(on);
    ++count;
  }
  return count;
}

}  // namespace

int Module::freeze(const std::string& pattern) { return switch_grad(*this, pattern, false); }
int Module::unfreeze(const std::string& pattern) { return switch_grad(*this, pattern, true); }

}  // namespace iskra::nn
