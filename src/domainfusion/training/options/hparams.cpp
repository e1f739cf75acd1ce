#include "domainfusion/training/options/hparams.h"

#include <cmath>
#include <functional>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/protocol/numpy_random.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {
namespace {

using nlohmann::json;
using Options = std::vector<std::pair<std::string, json>>;
using Draw = std::function<json(NumpyRandom&)>;

struct Hparam {
  std::string name;
  json default_value;
  Draw draw;
};

Hparam fixed(std::string name, json value) {
  return {std::move(name), value, [value](NumpyRandom&) { return value; }};
}

Hparam power(std::string name, json default_value, double base, double low, double high) {
  return {std::move(name), std::move(default_value),
          [=](NumpyRandom& random) { return json(std::pow(base, random.uniform(low, high))); }};
}

Hparam batch_size(json default_value, double low, double high) {
  return {"batch_size", std::move(default_value), [=](NumpyRandom& random) {
            return json(static_cast<std::int64_t>(std::pow(2.0, random.uniform(low, high))));
          }};
}

Hparam dropout(std::string name) {
  return {std::move(name), 0.0, [](NumpyRandom& random) {
            return json(random.choice(std::vector<double>{0., 0.1, 0.5}));
          }};
}

bool has_small_images(const std::string& dataset) {
  return dataset == "Debug28" || dataset == "RotatedMNIST" || dataset == "ColoredMNIST";
}

std::vector<Hparam> ranges_of_set(const std::string& dataset) {
  if (has_small_images(dataset)) {
    return {power("lr", 1e-3, 10, -4.5, -2.5), fixed("weight_decay", 0.), batch_size(64, 3, 9)};
  }
  return {power("lr", 5e-5, 10, -5, -3.5), power("weight_decay", 0., 10, -6, -2),
          batch_size(32, 3, dataset == "DomainNet" ? 5 : 5.5)};
}

std::vector<Hparam> registry(const std::string& dataset) {
  std::vector<Hparam> all{fixed("data_augmentation", true),
                          fixed("resnet18", false),
                          fixed("resnet50_augmix", true),
                          fixed("dinov2", false),
                          fixed("vit", false),
                          fixed("vit_attn_tune", false),
                          fixed("freeze_bn", false),
                          fixed("lars", false),
                          fixed("linear_steps", 500),
                          dropout("resnet_dropout"),
                          dropout("vit_dropout"),
                          fixed("class_balanced", false),
                          fixed("nonlinear_classifier", false)};
  for (Hparam& hparam : ranges_of_set(dataset)) all.push_back(std::move(hparam));
  return all;
}

std::string dropout_name(const std::string& backbone) {
  return backbone.starts_with("vit") ? "vit_dropout" : "resnet_dropout";
}

}  // namespace

json default_hparams(const std::string& dataset) {
  json values = json::object();
  for (const Hparam& hparam : registry(dataset)) values[hparam.name] = hparam.default_value;
  return values;
}

json random_hparams(const std::string& dataset, std::int64_t seed) {
  json values = json::object();
  for (const Hparam& hparam : registry(dataset)) {
    NumpyRandom random(seed_hash({seed, hparam.name}));
    values[hparam.name] = hparam.draw(random);
  }
  return values;
}

json hparams_of_trial(const std::string& dataset, std::int64_t hparams_seed, std::int64_t trial_seed) {
  if (hparams_seed == 0) return default_hparams(dataset);
  return random_hparams(dataset, seed_hash({hparams_seed, trial_seed}));
}

Options options_of_hparams(const json& hparams, const std::string& backbone) {
  return {{"optimizer.lr", hparams.at("lr")},
          {"optimizer.weight_decay", hparams.at("weight_decay")},
          {"loader.batch_size", hparams.at("batch_size")},
          {"loader.augment", hparams.at("data_augmentation")},
          {"classifier.dropout", hparams.at(dropout_name(backbone))}};
}

Options domainbed_options(const TrainingConfig& config) {
  if (config.hparams == HparamSource::kNone) return {};
  const json hparams = hparams_of_trial(config.benchmark, config.hparams_seed, config.trial_seed);
  Options options = options_of_hparams(hparams, config.classifier.backbone);
  const KnownDataset* known = find_known_dataset(config.benchmark);
  if (known && known->steps > 0) {
    options.emplace_back("steps", known->steps);
    options.emplace_back("checkpoint_frequency", known->checkpoint_frequency);
  }
  return options;
}

json hparams_in_use(const TrainingConfig& config) {
  if (config.hparams == HparamSource::kNone) return nullptr;
  json values = hparams_of_trial(config.benchmark, config.hparams_seed, config.trial_seed);
  values["lr"] = config.optimizer.lr;
  values["weight_decay"] = config.optimizer.weight_decay;
  values["batch_size"] = config.loader.batch_size;
  values["data_augmentation"] = config.loader.augment;
  values[dropout_name(config.classifier.backbone)] = config.classifier.dropout;
  values["freeze_bn"] = config.classifier.freeze_batch_norm;
  values["resnet18"] = config.classifier.backbone == "resnet18";
  values["resnet50_augmix"] = false;
  values["vit"] = config.classifier.backbone.starts_with("vit");
  return values;
}

}  // namespace domainfusion
