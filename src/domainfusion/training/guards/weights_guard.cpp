#include "domainfusion/training/guards/weights_guard.h"

#include <optional>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

// Options of the run in whose folder the weights lie; nothing if they lie elsewhere.
std::optional<TrainingConfig> config_of_trainer(const std::filesystem::path& weights) {
  const auto path = located_weights(weights).parent_path() / "run.json";
  if (!std::filesystem::exists(path)) return {};
  const nlohmann::json run = read_json_object(path);
  check<FormatError>(run.contains("config") && run["config"].is_object(), "'{}' is not the run.json of a run",
                     path.string());
  const nlohmann::json& options = run["config"];
  TrainingConfig config;
  config.test_domain = options.value("test_domain", "");
  config.cross_validation_domain = options.value("cross_validation_domain", "");
  config.trial_seed = options.value("trial_seed", std::int64_t{-1});
  config.holdout_fraction = options.value("holdout_fraction", -1.0);
  return config;
}

void check_held_out(const std::string& option, const std::filesystem::path& weights, const TrainingConfig& trainer,
                    const HoldoutGuard& holdout) {
  for (const std::string& name : holdout.held_out_names()) {
    check<ConfigError>(name == trainer.test_domain || name == trainer.cross_validation_domain,
                       "{}: '{}' was trained with '{}' held out, not '{}', which this run holds out: name a run with "
                       "the same test domain",
                       option, weights.string(), trainer.test_domain, name);
  }
}

// Empty: the same split.
std::string other_split(const std::string& option, const std::filesystem::path& weights, const TrainingConfig& trainer,
                        const TrainingConfig& config) {
  if (trainer.trial_seed == config.trial_seed && trainer.holdout_fraction == config.holdout_fraction) return "";
  return fmt::format(
      "{}: '{}' was trained on another split of the source domains (trial_seed {}, holdout_fraction {}; this run: {}, "
      "{}), so it saw images that select this run's model",
      option, weights.string(), trainer.trial_seed, trainer.holdout_fraction, config.trial_seed,
      config.holdout_fraction);
}

}  // namespace

bool check_weights_provenance(const std::string& option, const std::filesystem::path& weights,
                              const HoldoutGuard& holdout, const TrainingConfig& config) {
  const auto trainer = config_of_trainer(weights);
  if (!trainer) return false;
  check_held_out(option, weights, *trainer, holdout);
  if (const std::string other = other_split(option, weights, *trainer, config); !other.empty())
    log_warning("{}: source validation accuracy may be too high", other);
  return true;
}

void check_judge_provenance(const std::string& option, const std::filesystem::path& weights,
                            const HoldoutGuard& holdout, const TrainingConfig& config) {
  const auto trainer = config_of_trainer(weights);
  check<ConfigError>(
      trainer.has_value(),
      "{}: no run.json stands beside '{}', so nobody can tell what it was trained on, and it has a say in "
      "what this run learns from: name the best.safetensors in the folder of a run",
      option, weights.string());
  check_held_out(option, weights, *trainer, holdout);
  const std::string other = other_split(option, weights, *trainer, config);
  check<ConfigError>(other.empty(), "{}: name a run with the same split", other);
}

}  // namespace domainfusion
