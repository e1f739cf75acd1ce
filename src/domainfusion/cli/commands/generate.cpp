// domainfusion generate: image-to-image or inversion over a folder of pictures.
#include <optional>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/diffusion/generation/folder_generation.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

struct GenerateArguments {
  LdmArguments model;
  std::string images, out, recipe;
  std::vector<std::string> overrides;
  // Flags are options with a short name; given ones win over recipe and --set.
  std::optional<std::string> prompt, negative_prompt, inversion_prompt, mode, preset, scheduler;
  std::optional<double> strength, guidance_scale, eta;
  std::optional<std::int64_t> steps, seed, size_px, batch_size, vae_tile_px;
};

template <class Value>
void set(const ConfigFields& fields, const char* key, const std::optional<Value>& value) {
  if (value) fields.at(key).set(nlohmann::json(*value));
}

GenerateConfig config_of(const GenerateArguments& a) {
  GenerateConfig config;
  const ConfigFields fields = fields_of(config);
  if (!a.recipe.empty()) apply_recipe(fields, a.recipe);
  for (const std::string& assignment : a.overrides) apply_override(fields, assignment);
  set(fields, "prompt", a.prompt);
  set(fields, "negative_prompt", a.negative_prompt);
  set(fields, "inversion_prompt", a.inversion_prompt);
  set(fields, "mode", a.mode);
  set(fields, "preset", a.preset);
  set(fields, "scheduler", a.scheduler);
  set(fields, "strength", a.strength);
  set(fields, "guidance_scale", a.guidance_scale);
  set(fields, "eta", a.eta);
  set(fields, "steps", a.steps);
  set(fields, "seed", a.seed);
  set(fields, "size_px", a.size_px);
  set(fields, "batch_size", a.batch_size);
  set(fields, "vae_tile_px", a.vae_tile_px);
  return config;
}

void list_problems(const char* what, const std::vector<FolderReport::Problem>& problems) {
  if (problems.empty()) return;
  log_warning("{} {}:", problems.size(), what);
  for (const FolderReport::Problem& problem : problems) log_warning("  {}: {}", problem.path, problem.cause);
}

void generate(const GenerateArguments& arguments) {
  const GenerateConfig config = config_of(arguments);
  LdmOptions options = arguments.model.options();
  options.hold_weights_once = true;
  const LatentDiffusion model = LatentDiffusion::open(arguments.model.ldm, options);
  const StopSignal stop;
  const FolderReport report =
      generate_folder(model, config, arguments.images, arguments.out, [&] { return stop.requested(); });
  list_problems("picture(s) could not be read", report.broken);
  list_problems("result(s) are no images and were not written", report.failed);
  fmt::print("{} images made, {} were there already, {} made again in float32, {} failed, {} sources broken; in {}\n",
             report.made, report.kept, report.retried, report.failed.size(), report.broken.size(), arguments.out);
  if (report.stopped) {
    log_info("stopped; the same command continues");
    throw Interrupted();
  }
  check<FormatError>(report.broken.empty(), "{} of the pictures in {} could not be read; the first: {}: {}",
                     report.broken.size(), arguments.images, report.broken.empty() ? "" : report.broken[0].path,
                     report.broken.empty() ? "" : report.broken[0].cause);
  check(report.failed.empty(),
        "{} images came out not finite, black or constant; another seed, strength or guidance may help",
        report.failed.size());
}

void add_generate_options(Command& command, GenerateArguments& a) {
  a.model.add_to(command);
  command.option("--images", a.images, "folder of pictures, with folders below it").required();
  command.option("--out", a.out, "folder to make, of the same tree; one that was begun is continued").required();
  command.option("--prompt", a.prompt, "what the new images show; {folder}: the name of the image's folder");
  command.option("--negative-prompt", a.negative_prompt, "what guidance leads away from");
  command.option("--inversion-prompt", a.inversion_prompt, "what the images show before (mode inversion)");
  command.option("--mode", a.mode, "img2img or inversion");
  command.option("--preset", a.preset, "what decides steps, strength, guidance and scheduler: auto, full, few_step");
  command.option("--strength", a.strength, "0: the VAE's round trip … 1: all the way");
  command.option("--steps", a.steps, "denoising steps of the whole schedule");
  command.option("--guidance", a.guidance_scale, "classifier-free guidance; up to 1: none");
  command.option("--scheduler", a.scheduler, "a name of `inspect schedulers`; auto: the model's own");
  command.option("--eta", a.eta, "noise of ddim's steps");
  command.option("--seed", a.seed, "of all noise");
  command.option("--size", a.size_px, "width and height of the new images");
  command.option("--batch", a.batch_size, "images that are made together");
  command.option("--vae-tile", a.vae_tile_px,
                 "side of the tiles in which the VAE works, for less memory; 0: whole images");
  command.option("--recipe", a.recipe, "TOML file of options");
  command.option("--set", a.overrides, "one option, key=value; may be given often");
}

}  // namespace

void add_generate_command(Command& app) {
  Command command = app.add("generate", "make an image of every picture in a folder, by image-to-image or inversion");
  auto arguments = std::make_shared<GenerateArguments>();
  add_generate_options(command, *arguments);
  command.settings("Options of recipes and --set", [] { return settings_of<GenerateConfig>(); });
  command.run([arguments] { generate(*arguments); });
}

}  // namespace domainfusion
