#include <fmt/format.h>

#include "domainfusion/config/config_file.h"
#include "domainfusion/training/options/hparams.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// The algorithm decides which options exist, so its name is looked up before anything is applied.
std::string algorithm_name(const json& recipe, const std::vector<std::string>& overrides,
                           const std::vector<std::pair<std::string, json>>& options) {
  std::string name = TrainingConfig().algorithm;
  if (recipe.contains("algorithm") && recipe["algorithm"].is_string()) name = recipe["algorithm"];
  for (const std::string& assignment : overrides) {
    if (assignment.starts_with("algorithm=")) name = text_of_override(assignment.substr(10));
  }
  for (const auto& [key, value] : options) {
    if (key == "algorithm") name = value;
  }
  return name;
}

// For an unknown key: the algorithms, other than this run's, whose option it is.
std::string algorithms_with(std::string_view key, const std::string& algorithm) {
  std::vector<std::string> names;
  for (const auto& entry : algorithms().entries()) {
    ConfigFields fields;
    const auto other = entry.make();
    other->describe(fields);
    if (fields.knows(key)) names.push_back(entry.name);
  }
  if (names.empty()) return {};
  return fmt::format("it is an option of the algorithm {}, and this run's is {}", fmt::join(names, ", "), algorithm);
}

}  // namespace

ConfigFields RunSetup::fields() {
  ConfigFields all = fields_of(config);
  algorithm->describe(all);
  return all;
}

RunSetup make_run_setup(const std::filesystem::path& recipe, const std::vector<std::string>& overrides,
                        const std::vector<std::pair<std::string, json>>& options) {
  const json table = recipe.empty() ? json::object() : read_recipe(recipe);
  RunSetup setup;
  const std::string algorithm = algorithm_name(table, overrides, options);
  setup.algorithm = algorithms().make(algorithm);
  setup.algorithm->defaults(setup.config);
  ConfigFields fields = setup.fields();
  fields.explain_unknown([&](std::string_view key) { return algorithms_with(key, algorithm); });
  const auto apply_explicit = [&] {
    if (!recipe.empty()) apply_recipe(fields, recipe);
    for (const std::string& assignment : overrides) apply_override(fields, assignment);
    for (const auto& [key, value] : options) fields.at(key).set(value);
  };
  apply_explicit();
  // Drawn values depend on explicit ones (the seeds) and give way to them.
  for (const auto& [key, value] : domainbed_options(setup.config)) fields.at(key).set(value);
  apply_explicit();
  setup.algorithm->settle(setup.config);
  return setup;
}

}  // namespace domainfusion
