// domainfusion soup: the average of finished runs' weights, as a run of its own.

#include "domainfusion/evaluation/models/soup.h"

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/output_folder.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/evaluation/models/trained_model.h"

namespace domainfusion {
namespace {

struct SoupArguments {
  std::vector<std::string> runs;
  std::string recipe = "uniform", data, device = "auto";
  OutputFolder output;
};

void soup(const SoupArguments& arguments) {
  SoupRequest request;
  request.runs.assign(arguments.runs.begin(), arguments.runs.end());
  check<ConfigError>(arguments.recipe == "uniform" || arguments.recipe == "greedy",
                     "--how {}: expected uniform or greedy", arguments.recipe);
  request.recipe = arguments.recipe == "greedy" ? SoupRecipe::kGreedy : SoupRecipe::kUniform;
  request.out = arguments.output.out;
  request.mode = arguments.output.mode();
  request.device = arguments.device;
  if (!arguments.data.empty()) {
    DataConfig data = recorded_config(read_run_description(arguments.runs.front())).data;
    data.root = arguments.data;
    request.dataset = open_dataset(data);
  }
  const SoupResult result = make_soup(request);
  fmt::print("{} of {} runs: source validation {:.1f} %, held-out domain {:.1f} %; in {}\n", result.members.size(),
             arguments.runs.size(), 100 * result.source_accuracy, 100 * result.target_accuracy, arguments.output.out);
  for (const auto& run : result.members) fmt::print("  {}\n", run.string());
}

}  // namespace

void add_soup_command(Command& app) {
  Command command = app.add("soup", "average the weights of finished runs into a run of its own");
  auto a = std::make_shared<SoupArguments>();
  command.option("runs", a->runs, "finished runs of one network, held-out domain and split").required();
  command
      .option("--how", a->recipe,
              "uniform: all of them (DiWA); greedy: each that does not lower the average's source validation")
      .default_shown();
  command.option("--data", a->data, "where the runs' images lie now");
  command.option("--device", a->device, "auto (CUDA where there is one), cpu, cuda or cuda:N").default_shown();
  a->output.add_to(command, "the soup").required();
  command.run([a] { soup(*a); });
}

}  // namespace domainfusion
