// domainfusion plan: what runs will cost, algorithms side by side, and plans beside what runs have cost.
#include <iostream>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/evaluation/plans/rank_plan.h"
#include "domainfusion/evaluation/tables/result_table.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using OptionList = std::vector<std::pair<std::string, json>>;

struct PlanArguments {
  std::string data, test_domain, ldm, vae;
  std::vector<std::string> loras, recipes, overrides, runs;
  bool compare = false, as_json = false;
  std::int64_t ranks = 0;
  double bandwidth = 0, deadline_hours = 24;
};

struct Plan {
  RunPlan run;
  std::optional<RankPlan> ranks{};
};

OptionList arguments_as_options(const PlanArguments& arguments) {
  OptionList options;
  for (const auto& [key, value] :
       {std::pair("data.root", arguments.data), std::pair("test_domain", arguments.test_domain),
        std::pair("ldm", arguments.ldm), std::pair("ldm_vae", arguments.vae)}) {
    if (!value.empty()) options.emplace_back(key, value);
  }
  if (!arguments.loras.empty()) options.emplace_back("ldm_loras", arguments.loras);
  return options;
}

// Those of `options` that an algorithm knows; the groups of another algorithm mean nothing to it.
OptionList known_to(const std::string& algorithm, const OptionList& options) {
  RunSetup setup = make_run_setup({}, {"algorithm=" + algorithm}, {});
  const ConfigFields fields = setup.fields();
  OptionList known;
  for (const auto& option : options) {
    const bool there = std::any_of(fields.fields().begin(), fields.fields().end(),
                                   [&](const ConfigFields::Field& field) { return field.key == option.first; });
    if (there && option.first != "algorithm") known.push_back(option);
  }
  known.emplace_back("algorithm", algorithm);
  return known;
}

RunPlan plan_of(RunSetup& setup, const SetSizes& sizes) {
  if (setup.config.test_domain.empty()) setup.config.test_domain = sizes.domain_names.front();
  return plan_run(setup, sizes);
}

// What goes between two ranks: given, or measured; of several that were started, between them, else between two threads
// here.
double bytes_per_second(const PlanArguments& arguments) {
  if (arguments.bandwidth > 0) return 1e6 * arguments.bandwidth;
  if (current_ranks() != nullptr) return measure_rate_of_sums(*current_ranks());
  double rate = 0;
  run_as_local_ranks(2, [&](Ranks& ranks) {
    const double measured = measure_rate_of_sums(ranks);
    if (ranks.is_first()) rate = measured;
  });
  return rate;
}

std::vector<Plan> plans_of_recipes(const PlanArguments& arguments, double bytes_per_second) {
  std::vector<Plan> plans;
  const auto add = [&](RunSetup setup) {
    const SetSizes sizes = sizes_of(setup.config);
    plans.push_back({plan_of(setup, sizes)});
    if (arguments.ranks > 0)
      plans.back().ranks = plan_ranks(setup, sizes, plans.back().run, arguments.ranks, bytes_per_second);
  };
  const OptionList options = arguments_as_options(arguments);
  std::vector<std::string> recipes = arguments.recipes;
  if (recipes.empty()) recipes.emplace_back();
  for (const std::string& recipe : recipes) {
    RunSetup own = make_run_setup(recipe, arguments.overrides, options);
    const std::string algorithm = own.config.algorithm;
    const auto first = static_cast<std::ptrdiff_t>(plans.size());
    const OptionList all = flat_options(own.fields().to_json());
    add(std::move(own));
    if (!arguments.compare) continue;
    for (const std::string& name : algorithms().names()) {
      if (name != algorithm) add(make_run_setup({}, {}, known_to(name, all)));
    }
    const auto erm =
        std::find_if(plans.begin() + first, plans.end(), [](const Plan& one) { return one.run.algorithm == "erm"; });
    if (erm != plans.end()) plans.push_back({with_dsi(erm->run)});
  }
  return plans;
}

void plan_runs(const PlanArguments& arguments) {
  for (const std::string& run : arguments.runs) {
    RunSetup setup = make_run_setup({}, {}, flat_options(read_run(run).config));
    const RunPlan plan = plan_of(setup, sizes_of(setup.config));
    fmt::print("{}\n{}", run, text_table(plan_beside_real_cells(plan, real_cost(run))));
  }
}

void print_ranks(const std::vector<Plan>& plans, double bytes_per_second) {
  for (const Plan& one : plans) {
    if (one.ranks) fmt::print("\n{}", text_table(rank_plan_cells(one.run, *one.ranks)));
  }
  fmt::print(
      "each rank with a GPU, or as many threads, like this process; {:.0f} MB/s from rank to rank; where every rank "
      "computes the whole batch, only images to generate and validation are shared\n",
      1e-6 * bytes_per_second);
}

void plan(const PlanArguments& arguments) {
  if (!arguments.runs.empty()) return plan_runs(arguments);
  const double rate = arguments.ranks > 0 ? bytes_per_second(arguments) : 0;
  if (!writes_results()) return;
  const std::vector<Plan> plans = plans_of_recipes(arguments, rate);
  if (arguments.as_json) {
    json list = json::array();
    for (const Plan& one : plans) {
      list.push_back(one.run.to_json());
      if (one.ranks) list.back()["several_ranks"] = one.ranks->to_json();
    }
    std::cout << json_text(list, 1) << '\n';
    return;
  }
  std::vector<RunPlan> runs;
  for (const Plan& one : plans) runs.push_back(one.run);
  const RunPlan& first = runs.front();
  fmt::print("{} images of {} to learn from; CDGA would generate {} images, FDS {}\n{}", first.budget.in_images,
             fmt::join(first.budget.sources, ", "), first.cdga_images, first.fds_images, text_table(plan_cells(runs)));
  fmt::print(
      "times by a short measurement on this machine, without reading images; memory of this machine, not of a "
      "GPU: networks, a training step, the LDM's largest batch, decoded images\n");
  for (const RunPlan& run : runs) {
    const std::string farm = describe_farm(run, arguments.deadline_hours);
    if (!farm.empty()) fmt::print("{}\n", farm);
  }
  if (arguments.ranks > 0) print_ranks(plans, rate);
}

}  // namespace

void add_plan_command(Command& app) {
  Command command = app.add("plan", "images, passes, time, memory and disk that a run will take, before it runs");
  auto arguments = std::make_shared<PlanArguments>();
  command.option("runs", arguments->runs, "run folders: their plans beside what they have really cost");
  command.option("--recipe", arguments->recipes, "TOML file of options; several stand side by side");
  command.option("--data", arguments->data,
                 "folder <domain>/<class>/<image>; needless where `benchmark` names a known set");
  command.option("--test-domain", arguments->test_domain, "domain to hold out; the first unless given");
  command.option("--ldm", arguments->ldm, "latent diffusion model, to be measured");
  add_lora_option(command, arguments->loras);
  add_vae_option(command, arguments->vae);
  command.option("--set", arguments->overrides, "one option, key=value; may be given often");
  command.flag("--compare", arguments->compare, "all algorithms beside the recipe's, with the options that they share");
  command
      .option(
          "--ranks", arguments->ranks,
          "beside one process, so many ranks; between two of them is measured what goes from one to the other: here, "
          "or where `launch` or srun start this command, between those")
      .within(0, 65536);
  command.option("--bandwidth", arguments->bandwidth, "between ranks, MB/s, in place of a measurement").within(0, 1e9);
  command
      .option("--deadline", arguments->deadline_hours, "hours for the images to generate: how many workers that takes")
      .within(1e-3, 1e6)
      .default_shown();
  command.flag("--json", arguments->as_json, "the figures as JSON");
  command.run([arguments] { run_as_rank([&] { plan(*arguments); }); });
}

}  // namespace domainfusion
