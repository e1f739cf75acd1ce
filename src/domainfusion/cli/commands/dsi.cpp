// domainfusion dsi: translations into the source domains at test time, for the held-out domain of finished runs.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/log.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/evaluation/dsi/dsi_run.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

struct DsiArguments {
  std::vector<std::string> runs, ldms, loras, overrides;
  std::string model = kSelectedModel, data, translations, recipe, vae, device = "auto", dtype = "float32";
};

void dsi(const DsiArguments& arguments) {
  DsiConfig config;
  const ConfigFields fields = fields_of(config);
  if (!arguments.recipe.empty()) apply_recipe(fields, arguments.recipe);
  for (const std::string& assignment : arguments.overrides) apply_override(fields, assignment);
  const StopSignal stop;
  DsiRequest request;
  request.model = arguments.model;
  request.data = arguments.data;
  for (const std::string& word : arguments.ldms)
    request.ldms.push_back(with_context("--ldm", [&] { return named_ldm(word); }));
  request.ldm_options.placement = placement_of(arguments.device, arguments.dtype);
  request.ldm_options.hold_weights_once = true;
  request.ldm_options.loras = lora_choices(arguments.loras);
  request.ldm_options.vae = arguments.vae;
  request.translations = arguments.translations;
  request.should_stop = [&] { return stop.requested(); };
  try {
    for (const std::string& run : arguments.runs) {
      request.run = run;
      with_context(fmt::format("'{}'", run), [&] { run_dsi(config, request); });
      fmt::print("{}: {}", run, describe_dsi(read_run(run)));
    }
  } catch (const Interrupted&) {
    log_info("stopped; the same command continues");
    throw;
  }
}

}  // namespace

void add_dsi_command(Command& app) {
  Command command =
      app.add("dsi", "classify the held-out domain by averages over its images' translations into the source domains");
  auto a = std::make_shared<DsiArguments>();
  command.option("runs", a->runs, "finished run folders").required();
  command.option("--ldm", a->ldms, "DOMAIN=FOLDER: a source domain and its model (see finetune); once for each domain")
      .required();
  command.option("--translations", a->translations,
                 "folder that keeps the translations, which all runs may share; default: RUN/dsi");
  command.option("--model", a->model, kModelHelp).default_shown();
  command.option("--data", a->data, "where the run's images lie now");
  add_lora_option(command, a->loras);
  add_vae_option(command, a->vae);
  add_placement_options(command, a->device, a->dtype);
  command.option("--recipe", a->recipe, "TOML file of options");
  command.option("--set", a->overrides, "one option, key=value; may be given often");
  command.settings("Options of recipes and --set", [] { return settings_of<DsiConfig>(); });
  command.run([a] { dsi(*a); });
}

}  // namespace domainfusion
