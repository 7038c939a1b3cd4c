// iskra models: the zoo.
#include <iskra/nn/init.h>
#include <iskra/zoo/app/command.h>
#include <iskra/zoo/models/registry.h>

namespace iskra::zoo {

namespace {

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) (out += out.empty() ? "" : ", ") += part;
  return out.empty() ? "-" : out;
}

}  // namespace

int cmd_models(const Arguments& arguments) {
  bool json = false;
  Flags flags("models", "Lists the architectures: parameters, input, classes, known checkpoints.");
  add_json(flags, json);
  if (!flags.parse(arguments)) return 0;

  Console console(json);
  Table table({"arch", "parameters>", "input", "classes>", "checkpoints", "what it is"});
  nn::init::Skip only_counted;
  for (const ArchInfo& arch : archs()) {
    int64_t parameters = create(arch.name)->parameter_count();
    std::string input = picture_text(arch.channels, arch.image, arch.image);
    table.row({arch.name, grouped(parameters), input, std::to_string(arch.classes), joined(arch.checkpoints),
               arch.summary});
    console.object(JsonLine()("arch", arch.name)("parameters", parameters)("image", arch.image)(
        "channels", arch.channels)("classes", arch.classes)("checkpoints", arch.checkpoints)("summary",
                                                                                             arch.summary));
  }
  console.say(table.str());
  console.object(JsonLine()("models", archs().size()));
  return 0;
}

}  // namespace iskra::zoo
