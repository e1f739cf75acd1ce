// domainfusion train: one run from a set to a figure on the held-out domain.

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/output_folder.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/evaluation/plans/run_budget.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/report/html/live_report.h"
#include "domainfusion/report/round_pictures.h"
#include "domainfusion/report/tensorboard/event_log.h"
#include "domainfusion/training/records/record_sinks.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

struct TrainArguments {
  std::string data, test_domain, algorithm, ldm, vae, tokenizer, candidates, recipe;
  OutputFolder output;
  std::vector<std::string> loras, overrides, source_domains;
  bool dry_run = false, yes = false, skip_broken_images = false;
};

// Flags are options with a short name; given ones win over recipe and --set.
std::vector<std::pair<std::string, nlohmann::json>> options_of(const TrainArguments& arguments) {
  std::vector<std::pair<std::string, nlohmann::json>> options;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) options.emplace_back(key, value);
  };
  add("algorithm", arguments.algorithm);
  add("data.root", arguments.data);
  add("test_domain", arguments.test_domain);
  if (!arguments.source_domains.empty()) options.emplace_back("source_domains", arguments.source_domains);
  add("ldm", arguments.ldm);
  add("ldm_tokenizer", arguments.tokenizer);
  add("ldm_vae", arguments.vae);
  if (!arguments.loras.empty()) options.emplace_back("ldm_loras", arguments.loras);
  add("candidates", arguments.candidates);
  if (arguments.skip_broken_images) options.emplace_back("data.skip_broken_images", true);
  return options;
}

std::vector<SettingGroup> training_settings() {
  std::vector<SettingGroup> groups = settings_of<TrainingConfig>();
  for (const auto& entry : algorithms().entries()) {
    SettingGroup group{fmt::format("Of the algorithm {}", entry.name), {}};
    entry.make()->describe(group.fields);
    if (!group.fields.fields().empty()) groups.push_back(group);
  }
  return groups;
}

void print_budget(const TrainArguments& arguments) {
  RunSetup setup = make_run_setup(arguments.recipe, arguments.overrides, options_of(arguments));
  const SetSizes sizes = sizes_of(setup.config);
  if (setup.config.test_domain.empty()) setup.config.test_domain = sizes.domain_names.front();
  const RunBudget budget = run_budget(setup, sizes);
  fmt::print("{}", describe_budget(setup, sizes, budget, measure_step_times(setup, sizes.classes)));
}

void train(const TrainArguments& arguments) {
  const std::filesystem::path out = arguments.output.out;
  check<ConfigError>(!out.empty(), "--out is missing: the run folder to make");
  RunSetup setup = make_run_setup(arguments.recipe, arguments.overrides, options_of(arguments));
  auto dataset = open_dataset(setup.config.data);
  const auto sinks = std::make_shared<RecordSinks>();
  if (writes_results() && setup.config.tensorboard)
    sinks->add(std::make_shared<EventLog>(out, setup.fields().to_json()));
  if (writes_results() && setup.config.report.live)
    sinks->add(std::make_shared<LiveReport>(out, setup.config.averaging.method == "none" ? 1 : 2));
  Trainer trainer(std::move(setup), std::move(dataset),
                  {.run_folder = out, .mode = arguments.output.mode(), .accept_cost = arguments.yes, .sink = sinks});
  if (!trainer.run()) throw Interrupted();
  if (!writes_results()) return;
  fmt::print("{}", describe_run(read_run(out)));
  for (const auto& picture : write_round_pictures(out / "synthetic", out / "pictures")) {
    fmt::print("pictures of a round: {}\n", picture.string());
  }
}

}  // namespace

void add_train_command(Command& app) {
  Command command = app.add("train", "train a classifier and test it on the held-out domain");
  auto arguments = std::make_shared<TrainArguments>();
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>");
  command.option("--test-domain", arguments->test_domain, "domain that training never sees");
  command.option("--source-domains", arguments->source_domains, "domains to train on; default: all others");
  command.option("--algorithm", arguments->algorithm, "see `domainfusion inspect algorithms`; default erm");
  command.option("--ldm", arguments->ldm,
                 "latent diffusion model (folder or CompVis file), for algorithms that use one");
  add_lora_option(command, arguments->loras);
  add_vae_option(command, arguments->vae);
  command.option("--tokenizer", arguments->tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command.option("--candidates", arguments->candidates, "store of generated images that runs share; made if absent");
  command.option("--recipe", arguments->recipe, "TOML file of options");
  command.option("--set", arguments->overrides, "one option, key=value; may be given often");
  arguments->output.add_to(command, "the run");
  command.flag(
      "--dry-run", arguments->dry_run,
      "print what the run would take: steps, images, hours; needs no images where `benchmark` names a known set");
  command.flag("--yes", arguments->yes, "start even if the estimated cost is over cost_limit_hours");
  command.flag("--skip-broken-images", arguments->skip_broken_images, "list and leave out images that cannot be read");
  command.settings("Options of recipes and --set", training_settings);
  command.run([arguments] {
    if (arguments->dry_run) return print_budget(*arguments);
    const TrainingConfig config =
        make_run_setup(arguments->recipe, arguments->overrides, options_of(*arguments)).config;
    run_as_rank([&] { train(*arguments); }, config.sum == GradientSum::kExact ? config.virtual_ranks : 0);
  });
}

}  // namespace domainfusion
