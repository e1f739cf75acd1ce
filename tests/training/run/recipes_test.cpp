#include <gtest/gtest.h>

#include <filesystem>

#include "domainfusion/config/config_file.h"
#include "domainfusion/ldm_training/options/ldm_finetuning_config.h"
#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {

TEST(Recipes, EveryRecipeNamesOnlyOptionsThatExist) {
  int recipes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(DOMAINFUSION_TEST_DIR "/../recipes")) {
    const std::string stem = entry.path().stem();
    if (stem.starts_with("table_")) continue;  // of whole tables: tests/evaluation
    if (stem.ends_with("_finetune")) {
      LdmFinetuningConfig config;
      EXPECT_NO_THROW(apply_recipe(fields_of(config), entry.path())) << entry.path();
    } else if (stem.ends_with("_ldm")) {
      LdmPretrainingConfig config;
      EXPECT_NO_THROW(apply_recipe(fields_of(config), entry.path())) << entry.path();
    } else {
      EXPECT_NO_THROW(make_run_setup(entry.path(), {}, {})) << entry.path();
    }
    ++recipes;
  }
  EXPECT_GE(recipes, 4);
}

TEST(Recipes, CdgaAndItsBaselineTrainTheSameNetworkForTheSameSteps) {
  const std::string folder = DOMAINFUSION_TEST_DIR "/../recipes/pacs128";
  RunSetup baseline = make_run_setup(folder + "_erm.toml", {}, {}),
           cdga = make_run_setup(folder + "_cdga.toml", {}, {});
  baseline.config.algorithm = "cdga";
  EXPECT_EQ(fields_of(baseline.config).to_json(), fields_of(cdga.config).to_json());
}

TEST(Recipes, DomainFusionAndItsBaselineTrainTheSameNetworkForTheSameSteps) {
  for (const std::string set : {"demo", "pacs128"}) {
    const std::string folder = DOMAINFUSION_TEST_DIR "/../recipes/" + set;
    RunSetup baseline = make_run_setup(folder + "_erm.toml", {"algorithm=erm"}, {});
    RunSetup fusion = make_run_setup(folder + "_domainfusion.toml", {}, {});
    nlohmann::json a = fields_of(baseline.config).to_json(), b = fields_of(fusion.config).to_json();
    a.erase("algorithm");
    b.erase("algorithm");
    EXPECT_EQ(a, b) << set;
  }
}

TEST(Recipes, MethodsThatAreHeldAgainstErmOnPacs128TrainItsNetworkForItsSteps) {
  const std::string folder = DOMAINFUSION_TEST_DIR "/../recipes/pacs128_";
  const auto options_of = [&](const std::string& method) {
    RunSetup setup = make_run_setup(folder + method + ".toml", {}, {});
    EXPECT_EQ(setup.config.algorithm, method);
    nlohmann::json options = fields_of(setup.config).to_json();
    options.erase("algorithm");
    return options;
  };
  for (const char* method : {"mixstyle", "efdmix", "mode_f", "mode_a", "fds"})
    EXPECT_EQ(options_of(method), options_of("erm")) << method;
}

}  // namespace domainfusion
