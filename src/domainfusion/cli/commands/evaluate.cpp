// domainfusion evaluate: tables of finished runs, or a run's model on chosen images.
#include <torch/torch.h>

#include <CLI/CLI.hpp>

#include "domainfusion/cli/commands.h"
#include "domainfusion/data/split.h"
#include "domainfusion/evaluation/result_table.h"
#include "domainfusion/evaluation/trained_model.h"
#include "domainfusion/metrics/classification.h"
#include "domainfusion/training/run_folder.h"

namespace domainfusion {
namespace {

struct EvaluateArguments {
  std::vector<std::string> runs;
  std::string domain, data, split = "all", model = kSelectedModel;
  bool markdown = false;
};

// Runs of one algorithm that share target and seeds differ in options: their folders tell them apart.
std::string system_name(const RunResult& run, const std::vector<RunResult>& runs) {
  for (const RunResult& other : runs) {
    if (&other != &run && other.algorithm == run.algorithm && other.test_domain == run.test_domain &&
        other.seed == run.seed && other.trial_seed == run.trial_seed) {
      return fmt::format("{} ({})", run.algorithm, run.path.filename().string());
    }
  }
  return run.algorithm;
}

void print_table(const std::vector<RunResult>& runs, bool markdown) {
  ResultTable table;
  bool any = false;
  for (const RunResult& run : runs) {
    if (!run.test) {
      fmt::print(stderr, "{}: not finished, left out of the table\n", run.path.string());
      continue;
    }
    table.add(system_name(run, runs), run.test->domain, run.test->accuracy);
    any = true;
    const auto add = [&](const TestRecord& test) {
      table.add(averaged_system(system_name(run, runs), test.model), test.domain, test.accuracy);
    };
    if (run.average_test) add(*run.average_test);
    for (const DsiResult& dsi : run.dsi) add(dsi.test);
  }
  if (any) fmt::print("{}", markdown ? table.markdown() : table.text());
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
  const auto indices = chosen_indices(dataset, domain, model.config, arguments.split);
  const Figures figures =
      evaluate_images([&](const at::Tensor& image_NCHW) { return model.classifier->forward(image_NCHW); }, dataset,
                      domain, indices, model.config.loader.image_size_px, at::kCPU);
  fmt::print("{}: {:.1f} % of {} images of '{}' ({}), cross-entropy {:.3f}\n", run, 100 * figures.accuracy(),
             indices.size(), dataset.domain_names()[static_cast<std::size_t>(domain)], arguments.split,
             figures.mean_loss);
  const auto cells = class_cells(rows_of(figures.confusion_KK), model.class_names);
  fmt::print("{}", arguments.markdown ? markdown_table(cells) : text_table(cells));
}

// One domain by name, else all.
void evaluate_model(const std::string& run, const EvaluateArguments& arguments) {
  TrainedModel model = load_trained_model(run, arguments.model);
  const auto dataset = dataset_of(model, arguments.data);
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
  std::vector<RunResult> runs;
  for (const std::string& run : arguments.runs) runs.push_back(read_run(run));
  if (runs.size() == 1) fmt::print("{}", describe_run(runs[0]));
  if (runs.size() > 1) print_table(runs, arguments.markdown);
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "evaluate", "results of runs: one run in full, several as a table with standard errors; or a model on a domain");
  auto arguments = std::make_shared<EvaluateArguments>();
  command->add_option("runs", arguments->runs, "run folders")->required();
  command->add_option("--domain", arguments->domain, "classify this domain's images anew with the runs' models");
  command->add_option("--data", arguments->data,
                      "another set with the same classes: its --domain, or all of its domains");
  command->add_option("--split", arguments->split, "which images of --domain")
      ->check(CLI::IsMember({"in", "out", "all"}))
      ->capture_default_str();
  command->add_option("--model", arguments->model, kModelHelp)->capture_default_str();
  command->add_flag("--markdown", arguments->markdown, "tables in Markdown");
  command->callback([arguments] { with_context("evaluate", [&] { evaluate(*arguments); }); });
}

}  // namespace domainfusion
