// domainfusion inspect: what the program knows, by kind.

#include "domainfusion/augmentation/styles/style_content.h"
#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/cli/commands.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/averaging/weight_averaging.h"

namespace domainfusion {
namespace {

template <class RegistryType>
void print_registry(const RegistryType& registry) {
  std::size_t width = 0;
  for (const auto& entry : registry.entries()) width = std::max(width, entry.name.size());
  for (const auto& entry : registry.entries()) fmt::print("{:<{}}  {}\n", entry.name, width, entry.help);
}

void print_datasets() {
  for (const KnownDataset& set : known_datasets()) {
    fmt::print("{}: {} classes; domains {}{}{}\n", set.name, set.number_of_classes, fmt::join(set.domain_names, ", "),
               set.note.empty() ? "" : "; ", set.note);
  }
  fmt::print("Any other folder <domain>/<class>/<image> works too: its names are its descriptions.\n");
}

void add_listing(Command& inspect, const std::string& name, const std::string& help, std::function<void()> print) {
  inspect.add(name, help).run(std::move(print));
}

}  // namespace

void add_inspect_command(Command& app) {
  Command inspect = app.add(
      "inspect", "list what can be named in options, or lies in files of weights; measure an LDM for distillation");
  inspect.require_command();
  add_listing(inspect, "algorithms", "training algorithms", [] { print_registry(algorithms()); });
  add_listing(inspect, "averaging", "averages of weights over training", [] { print_registry(averaging_methods()); });
  add_listing(inspect, "backbones", "classifier networks", [] { print_registry(backbones()); });
  add_listing(inspect, "schedulers", "samplers of diffusion models", [] { print_registry(scheduler_registry()); });
  add_listing(inspect, "decompositions", "style and content", [] { print_registry(decompositions()); });
  add_listing(inspect, "datasets", "sets whose domains have descriptions for prompts", print_datasets);
  add_inspect_weights_command(inspect);
  add_inspect_premise_command(inspect);
  add_inspect_latent_curve_command(inspect);
}

}  // namespace domainfusion
