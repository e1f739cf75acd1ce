// domainfusion dsi: translations into the source domains at test time, for the held-out domain of finished runs.

#include <algorithm>
#include <filesystem>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/farm_workers.h"
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
  std::int64_t workers = 1;
};

// The same command for one worker.
std::vector<std::string> command_of_dsi_worker(const DsiArguments& arguments) {
  WorkerOptions options({"dsi"});
  for (const std::string& run : arguments.runs) options.add_word(run);
  options.add_each("--ldm", arguments.ldms);
  options.add_each("--lora", arguments.loras);
  options.add_path("--vae", arguments.vae);
  options.add_path("--translations", arguments.translations);
  options.add("--model", arguments.model);
  options.add_path("--data", arguments.data);
  options.add("--device", arguments.device);
  options.add("--dtype", arguments.dtype);
  options.add_path("--recipe", arguments.recipe);
  options.add_each("--set", arguments.overrides);
  return options.words();
}

void run_dsi_workers(const DsiArguments& arguments, const StopSignal& stop) {
  namespace fs = std::filesystem;
  const fs::path store =
      arguments.translations.empty() ? fs::path(arguments.runs.front()) / "dsi" : fs::path(arguments.translations);
  const auto begin = fs::file_time_type::clock::now();
  const auto is_answered = [&](const std::string& run) {
    std::error_code none;
    const auto written = fs::last_write_time(dsi_record(run, arguments.model), none);
    return !none && written >= begin;
  };
  run_workers(
      store / "logs", command_of_dsi_worker(arguments), arguments.workers,
      [&] { return std::all_of(arguments.runs.begin(), arguments.runs.end(), is_answered); },
      [&] { return stop.requested(); });
  for (const std::string& run : arguments.runs) fmt::print("{}: {}", run, describe_dsi(read_run(run)));
}

void dsi(const DsiArguments& arguments) {
  DsiConfig config;
  const ConfigFields fields = fields_of(config);
  if (!arguments.recipe.empty()) apply_recipe(fields, arguments.recipe);
  for (const std::string& assignment : arguments.overrides) apply_override(fields, assignment);
  const StopSignal stop;
  if (arguments.workers > 1) return run_dsi_workers(arguments, stop);
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
  command
      .option(
          "--workers", a->workers,
          "processes that share the translations; each takes a GPU, or its share of the threads. The same command on "
          "another machine joins in")
      .within(1, 1024)
      .default_shown();
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
