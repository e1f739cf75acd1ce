#include "domainfusion/training/options/hparams.h"

#include <algorithm>
#include <cmath>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/training/options/hparam_ranges.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using Options = std::vector<std::pair<std::string, json>>;
std::string dropout_name(const std::string& backbone) {
  return backbone.starts_with("vit") ? "vit_dropout" : "resnet_dropout";
}

// Steps that DomainBed draws as a fraction: it compares whole steps with it.
json as_option(const std::string& name, const json& value) {
  if (name == "eqrm_burnin_iters") return static_cast<std::int64_t>(std::ceil(value.get<double>()));
  return value;
}

// The value of "a.b" in nested objects; null where there is none.
json option_at(const json& options, std::string key) {
  std::replace(key.begin(), key.end(), '.', '/');
  return options.value(json::json_pointer("/" + key), json());
}

}  // namespace

json default_hparams(const std::string& algorithm, const std::string& dataset) {
  json values = json::object();
  for (const HparamRange& range : hparam_ranges(algorithm, dataset)) values[range.name] = range.default_value;
  return values;
}

json random_hparams(const std::string& algorithm, const std::string& dataset, std::int64_t seed) {
  json values = json::object();
  for (const HparamRange& range : hparam_ranges(algorithm, dataset)) {
    NumpyRandom random(seed_hash({seed, range.name}));
    values[range.name] = range.draw(random);
  }
  return values;
}

json hparams_of_trial(const std::string& algorithm, const std::string& dataset, std::int64_t hparams_seed,
                      std::int64_t trial_seed) {
  if (hparams_seed == 0) return default_hparams(algorithm, dataset);
  return random_hparams(algorithm, dataset, seed_hash({hparams_seed, trial_seed}));
}

Options options_of_hparams(const json& hparams, const std::string& algorithm, const std::string& backbone) {
  Options options{{"classifier.dropout", hparams.at(dropout_name(backbone))}};
  for (const HparamRange& range : hparam_ranges(algorithm, "")) {
    if (!range.option.empty()) options.emplace_back(range.option, as_option(range.name, hparams.at(range.name)));
  }
  return options;
}

Options domainbed_options(const TrainingConfig& config) {
  if (config.hparams == HparamSource::kNone) return {};
  const json hparams = hparams_of_trial(config.algorithm, config.benchmark, config.hparams_seed, config.trial_seed);
  Options options = options_of_hparams(hparams, config.algorithm, config.classifier.backbone);
  const KnownDataset* known = find_known_dataset(config.benchmark);
  if (known && known->steps > 0) {
    options.emplace_back("steps", known->steps);
    options.emplace_back("checkpoint_frequency", known->checkpoint_frequency);
  }
  return options;
}

json hparams_in_use(const TrainingConfig& config, const json& options) {
  if (config.hparams == HparamSource::kNone) return nullptr;
  json values = hparams_of_trial(config.algorithm, config.benchmark, config.hparams_seed, config.trial_seed);
  for (const HparamRange& range : hparam_ranges(config.algorithm, config.benchmark)) {
    if (!range.option.empty()) values[range.name] = option_at(options, range.option);
  }
  values[dropout_name(config.classifier.backbone)] = config.classifier.dropout;
  values["freeze_bn"] = config.classifier.freeze_batch_norm;
  values["resnet18"] = config.classifier.backbone == "resnet18";
  values["resnet50_augmix"] = false;
  values["vit"] = config.classifier.backbone.starts_with("vit");
  return values;
}

}  // namespace domainfusion
