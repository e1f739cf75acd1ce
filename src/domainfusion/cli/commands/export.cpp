// domainfusion export: a run's model for other programs.
#include <torch/types.h>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/evaluation/models/torchscript_export.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/weights/pytorch_writer.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

struct ExportArguments {
  std::string run, model = kSelectedModel, format = "safetensors", out;
  bool overwrite = false;
};

// What a reader of the bare weights must know to use them.
TensorMetadata description(const TrainedModel& model) {
  const nlohmann::json classes = model.class_names, mean = kImageNetMean, deviation = kImageNetStd;
  const nlohmann::json clip_mean = kClipMean, clip_deviation = kClipStd;
  const bool clip = model.classifier->uses_clip_statistics();
  return {{"format", "pt"},
          {"backbone", model.config.classifier.backbone},
          {"class_names", json_text(classes)},
          {"image_size_px", std::to_string(model.config.loader.image_size_px)},
          {"alpha", name_of(model.config.data.alpha)},
          {"mean", clip ? json_text(clip_mean) : json_text(mean)},
          {"std", clip ? json_text(clip_deviation) : json_text(deviation)}};
}

void export_model(const ExportArguments& arguments) {
  check<ConfigError>(arguments.overwrite || !std::filesystem::exists(std::filesystem::symlink_status(arguments.out)),
                     "'{}' is there already; choose another --out, or pass --overwrite", arguments.out);
  TrainedModel model = load_trained_model(arguments.run, arguments.model);
  if (arguments.format == "torchscript") {
    write_file_atomically(arguments.out, torchscript_of(model));
  } else if (arguments.format == "pth") {
    save_pytorch(arguments.out, state_dict_of(*model.classifier));
  } else {
    save_tensors(arguments.out, state_dict_of(*model.classifier), description(model));
  }
  fmt::print("{}: {} with {} classes as {}\n", arguments.out, model.config.classifier.backbone,
             model.class_names.size(), arguments.format);
}

}  // namespace

void add_export_command(Command& app) {
  Command command = app.add("export", "write a run's model for other programs");
  auto arguments = std::make_shared<ExportArguments>();
  command.option("run", arguments->run, "run folder").required();
  command
      .option("--format", arguments->format,
              "safetensors, pth: the state dict, with torchvision's names or CLIP's; torchscript: a program with class "
              "names and preprocessing, checked against the model")
      .one_of({"safetensors", "pth", "torchscript"})
      .default_shown();
  command.option("--out", arguments->out, "file to write").required();
  command.option("--model", arguments->model, kModelHelp).default_shown();
  command.flag("--overwrite", arguments->overwrite, "replace the file");
  command.run([arguments] { export_model(*arguments); });
}

}  // namespace domainfusion
