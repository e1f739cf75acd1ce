// domainfusion evaluate: tables of finished runs, or a run's model on chosen images.
#include <torch/types.h>

#include <set>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/rank_command.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/placement.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/sets/relabelled_dataset.h"
#include "domainfusion/distributed/device_of_rank.h"
#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/evaluation/plans/run_plan.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

struct EvaluateArguments {
  std::vector<std::string> runs;
  std::string domain, data, split = "all", model = kSelectedModel, device = "auto";
  bool markdown = false, by_folder = false, cost = false;
};

// Runs of one algorithm that share target and seeds differ in options: their folders tell them apart.
std::string system_name(const RunResult& run, const std::vector<RunResult>& runs, bool by_folder) {
  if (by_folder) return std::filesystem::absolute(run.path).lexically_normal().parent_path().filename().string();
  for (const RunResult& other : runs) {
    if (&other != &run && other.algorithm == run.algorithm && other.test_domain == run.test_domain &&
        other.seed == run.seed && other.trial_seed == run.trial_seed) {
      return fmt::format("{} ({})", run.algorithm, run.path.filename().string());
    }
  }
  return run.algorithm;
}

// The systems of a table's runs.
class Systems {
 public:
  Systems(const std::vector<RunResult>& runs, bool by_folder) : runs_(runs), by_folder_(by_folder) {
    for (const RunResult& run : runs)
      if (run.fit && run.fit->under_fitted()) under_fitted_.insert(system_name(run, runs, by_folder));
  }
  bool any_under_fitted() const { return !under_fitted_.empty(); }
  // `method`: of an average or DSI; empty: the selected model.
  std::string name(const RunResult& run, const std::string& method = "") const {
    const std::string system = system_name(run, runs_, by_folder_);
    return (method.empty() ? system : averaged_system(system, method)) +
           (under_fitted_.contains(system) ? kUnderFittedMark : "");
  }

 private:
  const std::vector<RunResult>& runs_;
  bool by_folder_;
  std::set<std::string> under_fitted_;
};

using Cells = std::vector<std::vector<std::string>>;

void print_cells(const Cells& cells, bool markdown) {
  fmt::print("{}", markdown ? markdown_table(cells) : text_table(cells));
}

void print_result_table(const ResultTable& table, bool markdown) {
  fmt::print("{}", markdown ? table.markdown() : table.text());
}

void print_table(const std::vector<RunResult>& runs, const Systems& systems, bool markdown) {
  ResultTable table;
  for (const RunResult& run : runs) {
    const auto add = [&](const TestRecord& test) {
      table.add(systems.name(run, test.model), test.domain, test.accuracy);
    };
    add(*run.test);
    if (run.average_test) add(*run.average_test);
    for (const DsiResult& dsi : run.dsi) add(dsi.test);
  }
  print_result_table(table, markdown);
}

void print_source_validation(const std::vector<RunResult>& runs, const Systems& systems, bool markdown) {
  ResultTable table("source validation, %");
  for (const RunResult& run : runs) {
    if (const ValidationRecord* selected = select_by_source_validation(run.validations))
      table.add(systems.name(run), run.test->domain, selected->mean_accuracy);
  }
  print_result_table(table, markdown);
}

// Sums over a system's runs; what a run took and how it fits are known only of those that recorded it.
struct SystemCost {
  double generated = 0, seconds = 0, training_accuracy = 0;
  std::int64_t runs = 0, timed = 0, fits = 0;
};

std::string mean_of_known(double sum, std::int64_t runs, std::string (*text)(double)) {
  return runs > 0 ? text(sum / static_cast<double>(runs)) : "not recorded";
}

void print_costs(const std::vector<RunResult>& runs, const Systems& systems, bool markdown) {
  std::vector<std::string> order;
  std::map<std::string, SystemCost> costs;
  for (const RunResult& run : runs) {
    const std::string name = systems.name(run);
    if (!costs.contains(name)) order.push_back(name);
    SystemCost& sum = costs[name];
    const RealCost real = real_cost(run);
    sum.generated += static_cast<double>(real.generated_images);
    sum.seconds += real.seconds;
    sum.timed += real.seconds > 0;
    if (run.fit) {
      sum.training_accuracy += run.fit->accuracy;
      ++sum.fits;
    }
    ++sum.runs;
  }
  Cells cells{{"system", "runs", "training accuracy, %", "images generated", "time"}};
  for (const std::string& name : order) {
    const SystemCost& sum = costs[name];
    cells.push_back(
        {name, fmt::format("{}", sum.runs),
         mean_of_known(sum.training_accuracy, sum.fits, [](double mean) { return fmt::format("{:.1f}", 100 * mean); }),
         fmt::format("{:.0f}", sum.generated / static_cast<double>(sum.runs)),
         mean_of_known(sum.seconds, sum.timed, [](double mean) { return format_seconds(mean); })});
  }
  print_cells(cells, markdown);
}

void print_tables_of_set(const std::vector<RunResult>& runs, const EvaluateArguments& arguments) {
  const Systems systems(runs, arguments.by_folder);
  print_table(runs, systems, arguments.markdown);
  if (arguments.cost) {
    fmt::print("\n");
    print_source_validation(runs, systems, arguments.markdown);
    fmt::print("\n");
    print_costs(runs, systems, arguments.markdown);
  }
  // In Markdown a star at a line's start would make a list.
  if (systems.any_under_fitted()) fmt::print("\n{}{}", arguments.markdown ? "\\" : "", under_fitted_note());
}

void print_tables(std::vector<RunResult> runs, const EvaluateArguments& arguments) {
  std::erase_if(runs, [](const RunResult& run) {
    if (!run.test) log_warning("{}: not finished, left out of the table", run.path.string());
    return !run.test;
  });
  tell_sets_apart(runs);
  std::map<std::string, std::vector<RunResult>> sets;
  for (RunResult& run : runs) sets[run.dataset].push_back(std::move(run));
  for (const auto& [name, of_set] : sets) {
    if (sets.size() > 1)
      fmt::print("{}{}\n{}", &of_set == &sets.begin()->second ? "" : "\n", name, arguments.markdown ? "\n" : "");
    print_tables_of_set(of_set, arguments);
  }
}

std::vector<std::int64_t> chosen_indices(const DomainDataset& dataset, std::int64_t domain,
                                         const TrainingConfig& config, const std::string& split) {
  if (split == "all") {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(dataset.size(domain)));
    for (std::size_t i = 0; i < indices.size(); ++i) indices[i] = static_cast<std::int64_t>(i);
    return indices;
  }
  const Split parts = holdout_split(dataset.size(domain), config.trial_seed, domain, config.holdout_fraction);
  return split == "in" ? parts.in : parts.out;
}

void evaluate_domain(const std::string& run, TrainedModel& model, const DomainDataset& dataset, std::int64_t domain,
                     const EvaluateArguments& arguments) {
  if (dataset.size(domain) == 0) {
    log_warning("domain '{}' has no image of a class that the model knows",
                dataset.domain_names()[static_cast<std::size_t>(domain)]);
    return;
  }
  const auto indices = chosen_indices(dataset, domain, model.config, arguments.split);
  const Figures figures =
      evaluate_images([&](const at::Tensor& image_NCHW) { return model.classifier->forward(image_NCHW); }, dataset,
                      domain, indices, model.config.loader.image_size_px, model.device);
  if (!writes_results()) return;
  fmt::print("{}: {:.1f} % of {} images of '{}' ({}), cross-entropy {:.3f}\n", run, 100 * figures.accuracy(),
             indices.size(), dataset.domain_names()[static_cast<std::size_t>(domain)], arguments.split,
             figures.mean_loss);
  const auto cells = class_cells(rows_of(figures.confusion_KK), model.class_names);
  fmt::print("{}", arguments.markdown ? markdown_table(cells) : text_table(cells));
}

// One domain by name, else all.
void evaluate_model(const std::string& run, const EvaluateArguments& arguments) {
  TrainedModel model = load_trained_model(run, arguments.model, device_of_rank(arguments.device));
  const auto dataset = arguments.data.empty() ? dataset_of(model) : other_dataset_of(model, arguments.data);
  check<ConfigError>(arguments.data.empty() || arguments.split == "all" ||
                         dynamic_cast<const RelabelledDataset*>(dataset.get()) == nullptr,
                     "--split {}: '{}' has other classes than the run's set, so the run's split says nothing of it: "
                     "leave out --split",
                     arguments.split, arguments.data);
  if (!arguments.domain.empty()) {
    evaluate_domain(run, model, *dataset, dataset->domain_index(arguments.domain), arguments);
    return;
  }
  for (std::int64_t domain = 0; domain < dataset->number_of_domains(); ++domain) {
    evaluate_domain(run, model, *dataset, domain, arguments);
  }
}

void evaluate(const EvaluateArguments& arguments) {
  if (!arguments.domain.empty() || !arguments.data.empty()) {
    for (const std::string& run : arguments.runs) evaluate_model(run, arguments);
    return;
  }
  if (!writes_results()) return;
  if (arguments.runs.size() == 1) return fmt::print("{}", describe_run(read_run(arguments.runs[0])));
  std::vector<RunResult> runs;
  std::vector<std::string> unreadable;
  for (const std::string& run : arguments.runs) {
    try {
      runs.push_back(read_run(run));
    } catch (const Error& error) {
      unreadable.emplace_back(error.what());
      log_warning("left out: {}", error.what());
    }
  }
  print_tables(runs, arguments);
  check_all_readable(unreadable, runs.size());
}

}  // namespace

void add_evaluate_command(Command& app) {
  Command command = app.add(
      "evaluate", "results of runs: one run in full, several as a table with standard errors; or a model on a domain");
  auto arguments = std::make_shared<EvaluateArguments>();
  command.option("runs", arguments->runs, "run folders").required();
  command.option("--domain", arguments->domain, "classify this domain's images anew with the runs' models");
  command.option("--data", arguments->data,
                 "another set: its --domain, or all of its domains; classes are matched by name");
  command.option("--split", arguments->split, "which images of --domain").one_of({"in", "out", "all"}).default_shown();
  command.option("--model", arguments->model, kModelHelp).default_shown();
  add_device_option(command, arguments->device);
  command.flag("--markdown", arguments->markdown, "tables in Markdown");
  command.flag("--by-folder", arguments->by_folder, "runs in one folder are runs of one system, of the folder's name");
  command.flag(
      "--cost", arguments->cost,
      "also source validation by held-out domain, and training accuracy of the last epoch, images generated and "
      "time, means over a system's runs");
  command.run([arguments] { run_as_rank([&] { evaluate(*arguments); }); });
}

}  // namespace domainfusion
