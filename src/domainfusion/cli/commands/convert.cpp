// domainfusion convert: weights of any known format as safetensors, models as a diffusers folder.
#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/diffusion/diffusers_writer.h"
#include "domainfusion/fetch/cache/known_weights.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct ConvertArguments {
  std::string in, out, dtype, tokenizer, prediction_type, vae;
  std::vector<std::string> loras;
};

void convert_file(const fs::path& in, const fs::path& out, std::optional<at::ScalarType> type) {
  check<ConfigError>(!fs::exists(fs::symlink_status(out)), "'{}' is there already; choose another path", out.string());
  const WeightsFile file = WeightsFile::open(located_weights(in));
  say_remarks(file);
  TensorMetadata metadata = file.metadata();
  metadata["format"] = "pt";
  if (type) {
    save_tensors(out, converted(load_tensors(file, [](const std::string&) { return true; }), type), metadata);
  } else {
    copy_tensors(out, file, metadata);
  }
  fmt::print("{}: {} tensors\n", out.string(), file.tensors().size());
}

void convert(const ConvertArguments& arguments) {
  const auto type = arguments.dtype.empty() ? std::nullopt : std::optional(dtype_of(arguments.dtype));
  if (fs::path(arguments.out).extension() == ".safetensors") {
    check<ConfigError>(arguments.loras.empty() && arguments.vae.empty(),
                       "--lora and --vae go with a model: let OUT be the folder to make");
    return convert_file(arguments.in, arguments.out, type);
  }
  LdmOptions options;
  options.tokenizer = arguments.tokenizer;
  options.prediction_type = arguments.prediction_type;
  options.loras = lora_choices(arguments.loras);
  options.vae = arguments.vae;
  write_diffusers_folder(arguments.out, LatentDiffusion::open(arguments.in, options), type);
  fmt::print("{}: a model in diffusers' layout\n", arguments.out);
}

}  // namespace

void add_convert_command(Command& app) {
  Command command = app.add("convert", "weights as safetensors; a latent diffusion model as a diffusers folder");
  auto arguments = std::make_shared<ConvertArguments>();
  command
      .option("in", arguments->in, "safetensors, PyTorch checkpoint (.pth, .pt, .ckpt, .bin), *.index.json, or a model")
      .required();
  command
      .option("out", arguments->out,
              "OUT.safetensors for the tensors as they are; else the folder to make of a model (CompVis file, "
              "diffusers folder)")
      .required();
  command.option("--dtype", arguments->dtype, "of floating-point tensors; default: as they are")
      .one_of({"float32", "float16", "bfloat16"});
  add_lora_option(command, arguments->loras);
  add_vae_option(command, arguments->vae);
  command.option("--tokenizer", arguments->tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command.option("--prediction-type", arguments->prediction_type, "what the U-Net of a CompVis file predicts")
      .one_of({"epsilon", "v_prediction", "sample"});
  command.run([arguments] { convert(*arguments); });
}

}  // namespace domainfusion
