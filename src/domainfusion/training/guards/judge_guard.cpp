#include "domainfusion/training/guards/judge_guard.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

using nlohmann::json;

TrainingConfig config_of_run(const std::filesystem::path& weights) {
  const auto path = weights.parent_path() / "run.json";
  check<ConfigError>(
      std::filesystem::exists(path),
      "domainfusion.fidelity_weights: no run.json stands beside '{}', so nobody can tell what it was trained "
      "on; with augmentation.combine = mode name the best.safetensors in the folder of a run",
      weights.string());
  const json run = try_parse_json(read_file(path)).value_or(nullptr);
  check<FormatError>(run.is_object() && run.contains("config") && run["config"].is_object(),
                     "'{}' is not the run.json of a run", path.string());
  TrainingConfig config;
  const json& options = run["config"];
  config.test_domain = options.value("test_domain", "");
  config.cross_validation_domain = options.value("cross_validation_domain", "");
  config.trial_seed = options.value("trial_seed", std::int64_t{-1});
  config.holdout_fraction = options.value("holdout_fraction", -1.0);
  return config;
}

}  // namespace

void check_judge_provenance(const std::filesystem::path& weights, const HoldoutGuard& holdout,
                            const TrainingConfig& config) {
  const TrainingConfig judge = config_of_run(weights);
  for (const std::string& name : holdout.held_out_names()) {
    check<ConfigError>(
        name == judge.test_domain || name == judge.cross_validation_domain,
        "domainfusion.fidelity_weights: '{}' was trained with '{}' held out, not '{}', which this run holds "
        "out: name a run with the same test domain",
        weights.string(), judge.test_domain, name);
  }
  check<ConfigError>(
      judge.trial_seed == config.trial_seed && judge.holdout_fraction == config.holdout_fraction,
      "domainfusion.fidelity_weights: '{}' was trained on another split of the source domains (trial_seed {}, "
      "holdout_fraction {}; this run: {}, {}), so it saw images that select this run's model: name a run with "
      "the same split",
      weights.string(), judge.trial_seed, judge.holdout_fraction, config.trial_seed, config.holdout_fraction);
}

}  // namespace domainfusion
