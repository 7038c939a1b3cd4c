// iskra forward: a raw tensor in, logits out.
#include <iskra/core/ops.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/train/model_setup.h>
#include <iskra/zoo/weights/npy.h>

namespace iskra::zoo {

int cmd_forward(const Arguments& arguments) {
  std::string arch, weights, input, output;
  bool json = false;
  Compute compute;
  Flags flags("forward", "Runs a model on a raw tensor: no resizing, no normalisation.");
  flags.add("arch", arch, "architecture (left out: what the weights say)");
  flags.add("weights", weights, "safetensors file");
  flags.add("input", input, ".npy of floating numbers, (N,C,H,W)");
  flags.add("output", output, ".npy to write: logits (N, classes), float32");
  for (const char* name : {"weights", "input", "output"}) flags.require(name);
  compute.add_to(flags);
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;
  check_arch(arch);

  Console console(json);
  Device device = compute.apply();
  ZooModel model = open_model(arch, weights);
  Tensor x = read_npy(input);
  ISKRA_CHECK(is_floating(x.dtype()), input, ": ", x.str(),
              " holds integers; save normalised floating numbers");
  ISKRA_CHECK(x.rank() == 4 && x.size(1) == model.info.channels && x.size(2) == model.info.image_size &&
                  x.size(3) == model.info.image_size,
              input, ": shape ", x.shape(), ", but ", model.info.arch, " takes (N, ", model.info.channels,
              ", ", model.info.image_size, ", ", model.info.image_size, ")");
  model.module->to(device);
  model.module->eval();
  NoGrad no_grad;
  Tensor y = (*model.module)(x.to(DType::f32).contiguous(Layout::channels_last).to(device)).to(Device::cpu());
  write_npy(output, y.to(DType::f32));
  console.say(output + ": logits " + y.shape().str());
  console.object(JsonLine()("arch", model.info.arch)("device", device.str())("precision", "fp32")(
      "batch", y.size(0))("classes", y.size(1))("output", output));
  return 0;
}

}  // namespace iskra::zoo
