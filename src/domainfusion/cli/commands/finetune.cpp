// domainfusion finetune: makes a latent diffusion model a translator to one domain.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/output_folder.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/folders/scratch_folder.h"
#include "domainfusion/ldm_training/ldm_finetuning.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

struct FinetuneArguments {
  LdmArguments base;
  std::string data, domain, descriptions, recipe;
  std::vector<std::string> overrides;
  OutputFolder output;
  bool skip_broken_images = false;
};

void finetune(const FinetuneArguments& arguments) {
  LdmFinetuningConfig config;
  const ConfigFields fields = fields_of(config);
  if (!arguments.recipe.empty()) apply_recipe(fields, arguments.recipe);
  for (const std::string& assignment : arguments.overrides) apply_override(fields, assignment);
  DataConfig data;
  data.root = arguments.data;
  data.descriptions = arguments.descriptions;
  data.skip_broken_images = arguments.skip_broken_images;
  data.alpha = config.alpha;
  const auto dataset = open_dataset(data);
  dataset->domain_index(arguments.domain);
  const std::string& out = arguments.output.out;
  check<ConfigError>(
      !std::filesystem::exists(out) || !std::filesystem::equivalent(out, located_weights(arguments.base.ldm)),
      "--out {} is the base model itself: choose another folder", out);
  const LatentDiffusion base = LatentDiffusion::open(arguments.base.ldm, arguments.base.options());
  LdmFinetuningRequest request{
      .domain = arguments.domain, .class_words = {}, .out = out, .resume = arguments.output.resume, .should_stop = {}};
  if (!arguments.descriptions.empty()) {
    request.class_words =
        PromptWords(dataset->domain_names(), dataset->class_names(), arguments.descriptions).classes();
  }
  std::optional<OwnedFolder> folder;  // rank 0's
  std::optional<ScratchFolder> scratch;
  if (writes_results()) {
    folder.emplace(out, arguments.output.mode(), OwnedFolder::Kind{"folder of a finetuned LDM", "finetune.json"});
    folder->begin_or_continue({{"base_weights_hash", base.weights_hash()},
                               {"dtype", arguments.base.dtype},
                               {"data", arguments.data},
                               {"domain", arguments.domain},
                               {"class_words", request.class_words},
                               {"options", fields.to_json()}});
    request.on_start = [&] { folder->keep(); };
  } else {
    request.out = scratch.emplace("domainfusion-rank").path();
  }
  const StopSignal stop;
  request.should_stop = [&] { return stop.requested(); };
  if (!finetune_ldm(base, *dataset, config, request)) {
    log_info("stopped; continue with the same command and --resume");
    throw Interrupted();
  }
  if (!writes_results()) return;
  fmt::print("LDM of '{}' written to {}\n", arguments.domain, out);
}

void add_finetune_options(Command& command, FinetuneArguments& a) {
  a.base.add_to(command);
  command.option("--data", a.data, "folder <domain>/<class>/<image>").required();
  command.option("--domain", a.domain, "the one domain to learn from: never the one to be tested on").required();
  a.output.add_to(command, "the LDM").required();
  command.option("--descriptions", a.descriptions, "JSON file with the words for classes, for a prompt with {class}");
  command.option("--recipe", a.recipe, "TOML file of options");
  command.option("--set", a.overrides, "one option, key=value; may be given often");
  command.flag("--skip-broken-images", a.skip_broken_images, "list and leave out images that cannot be read");
}

}  // namespace

void add_finetune_command(Command& app) {
  Command command = app.add("finetune", "finetune a latent diffusion model's U-Net on one source domain");
  auto arguments = std::make_shared<FinetuneArguments>();
  add_finetune_options(command, *arguments);
  command.settings("Options of recipes and --set", [] { return settings_of<LdmFinetuningConfig>(); });
  command.run([arguments] { run_as_rank([&] { finetune(*arguments); }); });
}

}  // namespace domainfusion
