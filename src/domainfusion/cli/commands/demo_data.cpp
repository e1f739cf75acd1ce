// domainfusion demo-data: writes the embedded set as a folder of images.

#include "domainfusion/cli/commands.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/data/procedural/procedural_objects.h"

namespace domainfusion {

void add_demo_data_command(Command& app) {
  struct Arguments {
    std::string out;
    std::vector<std::string> overrides;
  };
  Command command =
      app.add("demo-data", "write the embedded set: photo, painting, cartoon and sketch of seven objects");
  auto arguments = std::make_shared<Arguments>();
  command.option("out", arguments->out, "folder to make; files of the same names are replaced").required();
  command.option("--set", arguments->overrides, "one option, key=value; may be given often");
  command.settings("Options of --set", [] { return settings_of<ProceduralObjectsConfig>(); });
  command.run([arguments] {
    ProceduralObjectsConfig config;
    for (const std::string& assignment : arguments->overrides) apply_override(fields_of(config), assignment);
    fmt::print("{} images in {}\n", write_procedural_objects(arguments->out, config), arguments->out);
  });
}

}  // namespace domainfusion
