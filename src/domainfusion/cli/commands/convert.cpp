// domainfusion convert: weights of any known format as safetensors, models as a diffusers folder.
#include <CLI/CLI.hpp>
#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/diffusers_writer.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct ConvertArguments {
  std::string in, out, dtype, tokenizer, prediction_type;
};

void convert_file(const fs::path& in, const fs::path& out, std::optional<at::ScalarType> type) {
  check<ConfigError>(!fs::exists(fs::symlink_status(out)), "'{}' is there already; choose another path", out.string());
  const WeightsFile file = WeightsFile::open(in);
  TensorMetadata metadata = file.metadata();
  metadata["format"] = "pt";
  save_tensors(out, converted(load_tensors(file, [](const std::string&) { return true; }), type), metadata);
  fmt::print("{}: {} tensors\n", out.string(), file.tensors().size());
}

void convert(const ConvertArguments& arguments) {
  const auto type = arguments.dtype.empty() ? std::nullopt : std::optional(dtype_of(arguments.dtype));
  if (fs::path(arguments.out).extension() == ".safetensors") return convert_file(arguments.in, arguments.out, type);
  LdmOptions options;
  options.tokenizer = arguments.tokenizer;
  options.prediction_type = arguments.prediction_type;
  write_diffusers_folder(arguments.out, LatentDiffusion::open(arguments.in, options), type);
  fmt::print("{}: a model in diffusers' layout\n", arguments.out);
}

}  // namespace

void add_convert_command(CLI::App& app) {
  auto* command =
      app.add_subcommand("convert", "weights as safetensors; a latent diffusion model as a diffusers folder");
  auto arguments = std::make_shared<ConvertArguments>();
  command
      ->add_option("in", arguments->in,
                   "safetensors, PyTorch checkpoint (.pth, .pt, .ckpt, .bin), *.index.json, or a model")
      ->required();
  command
      ->add_option("out", arguments->out,
                   "OUT.safetensors for the tensors as they are; else the folder to make of a model (CompVis file, "
                   "diffusers folder)")
      ->required();
  command->add_option("--dtype", arguments->dtype, "of floating-point tensors; default: as they are")
      ->check(CLI::IsMember({"float32", "float16", "bfloat16"}));
  command->add_option("--tokenizer", arguments->tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command->add_option("--prediction-type", arguments->prediction_type, "what the U-Net of a CompVis file predicts")
      ->check(CLI::IsMember({"epsilon", "v_prediction", "sample"}));
  command->callback([arguments] { with_context("convert", [&] { convert(*arguments); }); });
}

}  // namespace domainfusion
