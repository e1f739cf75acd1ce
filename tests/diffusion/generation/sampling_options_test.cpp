#include "domainfusion/diffusion/generation/sampling_options.h"

#include <gtest/gtest.h>

#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/generate_config.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// A folder of this name that holds nothing but a scheduler's config.
fs::path model_with(const fs::path& folder, const nlohmann::json& scheduler_config) {
  fs::create_directories(folder / "scheduler");
  std::ofstream(folder / "scheduler/scheduler_config.json") << scheduler_config;
  return folder;
}

}  // namespace

TEST(FewStepKind, NamesOfKnownFamiliesAreSeen) {
  struct Case {
    const char* name;
    std::int64_t steps;
    const char* scheduler;
  };
  for (const Case& c :
       {Case{"sd-turbo", 4, "euler:trailing"}, Case{"models--stabilityai--sdxl-turbo", 4, "euler:trailing"},
        Case{"lcm-lora-sdv1-5", 4, "lcm"}, Case{"LCM_Dreamshaper_v7", 4, "lcm"},
        Case{"sdxl_lightning_8step.safetensors", 8, "euler:trailing"},
        Case{"Hyper-SD15-1step-lora.safetensors", 2, "ddim:trailing"},
        Case{"Hyper-SDXL-2steps-lora", 2, "ddim:trailing"}}) {
    const FewStepKind kind = few_step_kind_of_name(c.name);
    EXPECT_TRUE(kind.few_step) << c.name;
    EXPECT_EQ(kind.steps, c.steps) << c.name;
    EXPECT_EQ(kind.scheduler, c.scheduler) << c.name;
    EXPECT_NE(kind.reason.find(c.name), std::string::npos) << kind.reason;
  }
  for (const char* name :
       {"stable-diffusion-v1-5", "turbocharged", "hyperrealism", "hyper-photo", "lightningstorm", ""})
    EXPECT_FALSE(few_step_kind_of_name(name).few_step) << name;
}

TEST(FewStepKind, SamplersOfKnownFamiliesAreSeen) {
  const TemporaryFolder folder;
  const auto kind = [&](const char* name, const nlohmann::json& config) {
    return few_step_kind(model_with(folder / name, config));
  };
  EXPECT_TRUE(kind("a", {{"_class_name", "LCMScheduler"}}).few_step);
  EXPECT_EQ(kind("a", {{"_class_name", "LCMScheduler"}}).scheduler, "auto");
  EXPECT_EQ(kind("b", {{"_class_name", "TCDScheduler"}}).scheduler, "ddim:trailing");
  EXPECT_TRUE(kind("c", {{"_class_name", "EulerDiscreteScheduler"}, {"timestep_spacing", "trailing"}}).few_step);
  EXPECT_FALSE(kind("d", {{"_class_name", "EulerDiscreteScheduler"}, {"timestep_spacing", "leading"}}).few_step);
  // Trailing timesteps belong to models whose schedule ends without a signal too.
  EXPECT_FALSE(kind("e", {{"_class_name", "EulerDiscreteScheduler"},
                          {"timestep_spacing", "trailing"},
                          {"rescale_betas_zero_snr", true}})
                   .few_step);
  EXPECT_FALSE(few_step_kind(kTinySd15).few_step);
  EXPECT_FALSE(few_step_kind("nowhere").few_step);
  EXPECT_FALSE(few_step_kind("").few_step);
}

TEST(FewStepKind, TheRepositoryOfASnapshotAndTheModelItWasSavedFromCount) {
  const TemporaryFolder folder;
  const fs::path snapshot = folder / "models--x--sd-turbo/snapshots/0123";
  model_with(snapshot, {{"_class_name", "PNDMScheduler"}});
  EXPECT_TRUE(few_step_kind(snapshot).few_step);
  EXPECT_TRUE(few_step_kind(folder / "models--x--sd-turbo").few_step);
  const fs::path saved = model_with(folder / "mine", {{"_class_name", "PNDMScheduler"}});
  std::ofstream(saved / "model_index.json") << R"({"_name_or_path": "SimianLuo/LCM_Dreamshaper_v7"})";
  EXPECT_EQ(few_step_kind(saved).scheduler, "lcm");
}

TEST(SamplingOptions, APresetDecidesWhatNobodyNamed) {
  const FewStepKind turbo = few_step_kind_of_name("sd-turbo");
  GenerateConfig config;
  config.guidance_scale = 2;
  config.settle(turbo);
  EXPECT_EQ(config.steps, 4);
  EXPECT_EQ(config.strength, 0.5);
  EXPECT_EQ(config.guidance_scale, 2);
  EXPECT_EQ(config.scheduler, "euler:trailing");
  GenerateConfig full;
  full.preset = SamplingPreset::kFull;
  full.settle(turbo);
  EXPECT_EQ(full.steps, 20);
  EXPECT_EQ(full.guidance_scale, 5);
  GenerateConfig plain;
  plain.settle({});
  EXPECT_EQ(plain.steps, 20);
  EXPECT_EQ(plain.scheduler, "auto");
  GenerateConfig inverted;
  inverted.mode = GenerationMode::kInversion;
  inverted.settle(turbo);
  EXPECT_EQ(inverted.scheduler, "ddim");
}

TEST(SamplingOptions, SettledValuesAreReadBackAsTheyStand) {
  GenerateConfig config;
  const ConfigFields fields = fields_of(config);
  EXPECT_TRUE(fields.to_json().at("steps").is_null());
  config.settle(few_step_kind_of_name("lcm"));
  GenerateConfig again;
  fields_of(again).from_json(fields.to_json());
  EXPECT_EQ(again.steps, 4);
  EXPECT_EQ(again.scheduler, "lcm");
  EXPECT_THROW(fields.at("steps").set(0), ConfigError);
  EXPECT_THROW(fields.at("strength").set("half"), ConfigError);
  EXPECT_EQ(config.steps, 4);
  fields.at("steps").set(nullptr);
  EXPECT_FALSE(config.steps.has_value());
}

TEST(SamplingOptions, ASpacingBehindTheNameReplacesTheFiles) {
  const nlohmann::json config{{"_class_name", "PNDMScheduler"}, {"timestep_spacing", "leading"}, {"steps_offset", 1}};
  const auto trailing = make_scheduler("ddim:trailing", config);
  trailing->set_timesteps(4);
  EXPECT_EQ(trailing->timesteps(), (std::vector<double>{999, 749, 499, 249}));
  EXPECT_EQ(resolved_scheduler_name("auto:trailing", config), "pndm:trailing");
  EXPECT_THROW(make_scheduler("ddim:backwards", config), ConfigError);
  EXPECT_THROW(make_scheduler("dddim:trailing", config), ConfigError);
}

}  // namespace domainfusion
