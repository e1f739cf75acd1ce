// Hyper-parameters equal DomainBed's, value for value.

#include <gtest/gtest.h>

#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/training/options/hparam_ranges.h"
#include "domainfusion/training/options/hparams.h"
#include "domainfusion/training/run/trainer.h"
#include "parity/case_folders.h"

namespace domainfusion {
namespace {

using nlohmann::json;

void expect_same_values(const json& made, const json& expected, const std::string& what) {
  ASSERT_EQ(made.size(), expected.size()) << what;
  for (const auto& [name, value] : expected.items()) {
    ASSERT_TRUE(made.contains(name)) << what << " " << name;
    if (value.is_number_float()) {
      EXPECT_NEAR(made[name].get<double>(), value.get<double>(), 1e-12 * value.get<double>()) << what << " " << name;
    } else {
      EXPECT_EQ(made[name], value) << what << " " << name;
    }
  }
}

}  // namespace

TEST(HparamsParity, DefaultsEqualDomainBeds) {
  const auto folders = case_folders("domainbed", "default_hparams.json");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const json reference = read_json(folder / "default_hparams.json");
    for (const std::string& algorithm : algorithms().names()) {
      const json by_set = reference.value(domainbed_algorithm(algorithm), json::object());
      for (const auto& [dataset, expected] : by_set.items()) {
        expect_same_values(default_hparams(algorithm, dataset), expected, algorithm + ", " + dataset);
        expect_same_values(hparams_of_trial(algorithm, dataset, 0, 2), expected, algorithm + ", " + dataset);
      }
    }
  }
}

TEST(HparamsParity, RandomDrawsOfErmEqualDomainBeds) {
  const auto folders = case_folders("domainbed", "random_hparams_erm.json");
  ASSERT_FALSE(folders.empty());
  for (const auto& folder : folders) {
    const json reference = read_json(folder / "random_hparams_erm.json");
    for (const auto& [dataset, by_seed] : reference.at("by_seed").items()) {
      for (const auto& [seed, expected] : by_seed.items()) {
        expect_same_values(random_hparams("erm", dataset, std::stoll(seed)), expected, dataset + ", seed " + seed);
      }
    }
    for (const json& run : reference.at("as_train_script")) {
      expect_same_values(hparams_of_trial("erm", run.at("dataset"), run.at("hparams_seed"), run.at("trial_seed")),
                         run.at("hparams"), run.dump());
    }
  }
}

TEST(HparamsParity, StepsAndCheckpointsOfKnownSetsEqualDomainBeds) {
  const auto folders = case_folders("domainbed", "datasets.json");
  ASSERT_FALSE(folders.empty());
  int compared = 0;
  for (const auto& folder : folders) {
    const json reference = read_json(folder / "datasets.json");
    for (const auto& [name, expected] : reference.items()) {
      const KnownDataset* known = find_known_dataset(name);
      if (known == nullptr) continue;
      EXPECT_EQ(known->environments, expected.at("environments").get<std::vector<std::string>>());
      EXPECT_EQ(known->environments.size(), known->domain_names.size());
      EXPECT_EQ(known->steps, expected.at("n_steps"));
      EXPECT_EQ(known->checkpoint_frequency, expected.at("checkpoint_freq"));
      ++compared;
    }
  }
  EXPECT_GE(compared, 5);
}

TEST(Hparams, ARunTakesTheDrawnValuesAndExplicitOnesWin) {
  const std::vector<std::string> drawn{"hparams=domainbed", "benchmark=DomainNet", "hparams_seed=3", "trial_seed=1"};
  const json values = hparams_of_trial("erm", "DomainNet", 3, 1);
  RunSetup setup = make_run_setup({}, drawn, {});
  const TrainingConfig& config = setup.config;
  EXPECT_EQ(config.optimizer.lr, values.at("lr"));
  EXPECT_EQ(config.optimizer.weight_decay, values.at("weight_decay"));
  EXPECT_EQ(config.loader.batch_size, values.at("batch_size"));
  EXPECT_EQ(config.classifier.dropout, values.at("resnet_dropout"));
  EXPECT_EQ(config.steps, 5001);
  EXPECT_EQ(config.checkpoint_frequency, 1000);
  EXPECT_EQ(hparams_in_use(setup.config, setup.fields().to_json()).at("lr"), values.at("lr"));
  RunSetup explicit_setup = make_run_setup({}, drawn, {{"optimizer.lr", 0.5}, {"steps", 7}});
  const TrainingConfig& explicit_lr = explicit_setup.config;
  EXPECT_EQ(explicit_lr.optimizer.lr, 0.5);
  EXPECT_EQ(explicit_lr.steps, 7);
  EXPECT_EQ(explicit_lr.loader.batch_size, values.at("batch_size"));
  EXPECT_EQ(hparams_in_use(explicit_lr, explicit_setup.fields().to_json()).at("lr"), 0.5);
}

// Every value of every algorithm that DomainBed draws has a place among the run's options, or none by name.
TEST(Hparams, EveryAlgorithmTakesDefaultAndDrawnValues) {
  for (const std::string& algorithm : algorithms().names()) {
    for (const char* hparams_seed : {"0", "1", "2", "3", "4", "5"}) {
      const std::vector<std::string> drawn{"hparams=domainbed", "benchmark=PACS", "trial_seed=1",
                                           std::string("hparams_seed=") + hparams_seed, "algorithm=" + algorithm};
      RunSetup setup = make_run_setup({}, drawn, {});
      const json used = hparams_in_use(setup.config, setup.fields().to_json());
      const json made = hparams_of_trial(algorithm, "PACS", std::stoll(hparams_seed), 1);
      for (const auto& [name, value] : made.items()) {
        if (name == "resnet50_augmix" || name.ends_with("_dropout") || name == "resnet18") continue;
        if (name == "eqrm_burnin_iters") {
          EXPECT_EQ(used.at(name), std::ceil(value.get<double>()));
        } else {
          EXPECT_EQ(used.at(name), value) << algorithm << " " << name;
        }
      }
    }
  }
}

TEST(Hparams, WithoutHparamsNothingIsDrawn) {
  RunSetup setup = make_run_setup({}, {"benchmark=PACS", "hparams_seed=3"}, {});
  const TrainingConfig& config = setup.config;
  EXPECT_EQ(config.optimizer.lr, TrainingConfig().optimizer.lr);
  EXPECT_TRUE(hparams_in_use(setup.config, setup.fields().to_json()).is_null());
}

}  // namespace domainfusion
