// domainfusion reproduce: runs again what a run folder records, and compares the figures.
#include <cmath>

#include "domainfusion/cli/commands.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/evaluation/tables/run_result.h"

namespace domainfusion {
namespace {

struct ReproduceArguments {
  std::string run, out, data;
  double tolerance = 0;
  bool yes = false;
};

void warn_of_differences(const nlohmann::json& then, const nlohmann::json& now) {
  for (const auto& [name, value] : now.items()) {
    const nlohmann::json before = then.value(name, nlohmann::json());
    if (before != value) log_warning("{} was {}, is {}", name, json_text(before), json_text(value));
  }
}

double largest_difference(const RunResult& a, const RunResult& b) {
  check<Error>(a.validations.size() == b.validations.size(), "the run was validated {} times, its repetition {} times",
               a.validations.size(), b.validations.size());
  double largest = std::abs(a.test->accuracy - b.test->accuracy);
  for (std::size_t i = 0; i < a.validations.size(); ++i) {
    for (const auto& [domain, accuracy] : a.validations[i].accuracy) {
      const auto again = b.validations[i].accuracy.find(domain);
      check<Error>(again != b.validations[i].accuracy.end(), "the repetition was not validated on '{}'", domain);
      largest = std::max(largest, std::abs(accuracy - again->second));
    }
  }
  return largest;
}

void compare_figures(const RunResult& then, const RunResult& now, double tolerance) {
  const double largest = largest_difference(then, now);
  fmt::print("'{}': {:.4f} % then, {:.4f} % now\n", then.test_domain, 100 * then.test->accuracy,
             100 * now.test->accuracy);
  fmt::print("largest difference of the target's and the {} validation accuracies: {:.4f} %\n", now.validations.size(),
             100 * largest);
  const bool same_losses = then.step_losses == now.step_losses;
  fmt::print("{}\n", same_losses ? "the loss of every step is the same to the bit" : "losses of steps differ");
  check(100 * largest <= tolerance,
        "the figures differ by up to {:.4f} %, more than --tolerance {}; other threads, processors or libraries change "
        "the last "
        "bits, from which training moves away",
        100 * largest, tolerance);
}

void reproduce(const ReproduceArguments& arguments) {
  const RunResult then = read_run(arguments.run);
  check<ConfigError>(then.test.has_value(), "'{}' is not finished: continue it with `domainfusion train --resume`",
                     arguments.run);
  const nlohmann::json description = read_run_description(arguments.run);
  RunSetup setup = recorded_setup(description);
  if (!arguments.data.empty()) setup.config.data.root = arguments.data;
  auto dataset = open_dataset(setup.config.data);
  Trainer trainer(std::move(setup), std::move(dataset),
                  {.run_folder = arguments.out,
                   .mode = RunMode::kResume,
                   .accept_cost = arguments.yes,
                   .earlier_ends = description.value("earlier_ends", std::vector<std::int64_t>())});
  warn_of_differences(description.value("provenance", nlohmann::json::object()),
                      read_run_description(arguments.out).at("provenance"));
  if (!trainer.run()) throw Interrupted();
  compare_figures(then, read_run(arguments.out), arguments.tolerance);
}

}  // namespace

void add_reproduce_command(Command& app) {
  Command command = app.add("reproduce", "run again what a run folder records, and compare the figures");
  auto arguments = std::make_shared<ReproduceArguments>();
  command.option("run", arguments->run, "folder of a finished run").required();
  command.option("--out", arguments->out, "folder of the repetition; a stopped one is continued").required();
  command.option("--data", arguments->data, "the set, if it is elsewhere now");
  command
      .option("--tolerance", arguments->tolerance, "largest difference of an accuracy that is no failure, in percent")
      .within(0, 1e300)
      .default_shown();
  command.flag("--yes", arguments->yes, "start even if the estimated cost is over cost_limit_hours");
  command.run([arguments] { reproduce(*arguments); });
}

}  // namespace domainfusion
