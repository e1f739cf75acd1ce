#pragma once
// DomainBed's hyper-parameters (hparams_registry.py at b93c22a), by algorithm, hparams seed and trial seed, value for
// value.
//
// That release's own choices are kept in the values, among them two that differ from the paper's time: freeze_bn is
// false and resnet50_augmix true (weights of timm's ResNet-50 with AugMix). What a run takes from them:
// options_of_hparams().

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "domainfusion/training/options/training_config.h"

namespace domainfusion {

// Default values. `algorithm` is our name of it ("erm"), `dataset` is DomainBed's name ("PACS"): some sets have ranges
// of their own, unknown names those of big images.
nlohmann::json default_hparams(const std::string& algorithm, const std::string& dataset);
// Values drawn for the registry's seed: each from its own RandomState(seed_hash(seed, name)).
nlohmann::json random_hparams(const std::string& algorithm, const std::string& dataset, std::int64_t seed);
// As train.py takes them: defaults for hparams_seed 0, else random_hparams(seed_hash(hparams_seed, trial_seed)).
nlohmann::json hparams_of_trial(const std::string& algorithm, const std::string& dataset, std::int64_t hparams_seed,
                                std::int64_t trial_seed);

// The options of a run (key, value) that stand for the `hparams` of such an algorithm: learning rate, weight decay,
// batch size, dropout (vit_dropout where the backbone is a ViT), augmentation, and the algorithm's own. The others are
// recorded only: backbone and weights are the run's own options, class_balanced and nonlinear_classifier are always
// false; which of an algorithm's have no option says hparam_ranges.cpp. Counts of steps that DomainBed draws as
// fractions are rounded up.
std::vector<std::pair<std::string, nlohmann::json>> options_of_hparams(const nlohmann::json& hparams,
                                                                       const std::string& algorithm,
                                                                       const std::string& backbone);

// What `config` asks for by hparams = "domainbed": options_of_hparams() of its seeds and, where its benchmark is a
// known one, that benchmark's number of steps and checkpoint frequency. Empty for hparams = "none".
std::vector<std::pair<std::string, nlohmann::json>> domainbed_options(const TrainingConfig& config);

// For the record of a run: the drawn values with those in their place that the run really uses. `options`: all of the
// run's, as ConfigFields::to_json writes them. null for hparams = "none".
nlohmann::json hparams_in_use(const TrainingConfig& config, const nlohmann::json& options);

}  // namespace domainfusion
