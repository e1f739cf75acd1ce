// domainfusion demo-data: writes the embedded set as a folder of images.
#include <CLI/CLI.hpp>

#include "domainfusion/cli/commands.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/data/procedural/procedural_objects.h"

namespace domainfusion {

void add_demo_data_command(CLI::App& app) {
  struct Arguments {
    std::string out;
    std::vector<std::string> overrides;
  };
  auto* command =
      app.add_subcommand("demo-data", "write the embedded set: photo, painting, cartoon and sketch of seven objects");
  auto arguments = std::make_shared<Arguments>();
  command->add_option("out", arguments->out, "folder to make; files of the same names are replaced")->required();
  command->add_option("--set", arguments->overrides, "one option, key=value; may be given often")
      ->allow_extra_args(false);
  command->footer([] {
    ProceduralObjectsConfig config;
    return "Options of --set (key, type, default, range):\n" + describe_fields(fields_of(config));
  });
  command->callback([arguments] {
    with_context("demo-data", [&] {
      ProceduralObjectsConfig config;
      for (const std::string& assignment : arguments->overrides) apply_override(fields_of(config), assignment);
      fmt::print("{} images in {}\n", write_procedural_objects(arguments->out, config), arguments->out);
    });
  });
}

}  // namespace domainfusion
