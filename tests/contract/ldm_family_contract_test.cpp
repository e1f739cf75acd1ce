// Every algorithm with an LDM keeps to its contract with each family of models: of a few steps, of SDXL, with TAESD.
#include <gtest/gtest.h>

#include "diffusion/weights/compvis_layout.h"
#include "domainfusion/io/files/file_bytes.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class LdmFamilyContract : public testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  LdmFamilyContract() {
    fs::copy(kTinySd21, folder_ / "sd-turbo-tiny", fs::copy_options::recursive);
    change_json(folder_ / "sd-turbo-tiny/scheduler/scheduler_config.json",
                {{"_class_name", "EulerDiscreteScheduler"}, {"timestep_spacing", "trailing"}});
  }
  const std::string& algorithm() const { return std::get<0>(GetParam()); }
  const std::string& family() const { return std::get<1>(GetParam()); }
  std::vector<std::string> model() const {
    if (family() == "sdxl") return {"ldm=" + kTinySdxl.string()};
    if (family() == "taesd") return {"ldm=" + kTinySd15.string(), "ldm_vae=" + kTinyTaesd.string()};
    return {"ldm=" + (folder_ / "sd-turbo-tiny").string()};
  }
  std::vector<nlohmann::json> records(const std::string& run, const std::string& type) const {
    auto all = read_json_lines(folder_ / run / "records.jsonl");
    std::erase_if(all, [&](const nlohmann::json& record) { return record.at("type") != type; });
    return all;
  }
  TemporaryFolder folder_;
};

}  // namespace

TEST_P(LdmFamilyContract, AStoppedAndResumedRunEqualsAnUninterruptedOne) {
  ASSERT_TRUE(toy_run(algorithm(), folder_ / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, model()));
  EXPECT_FALSE(toy_run(algorithm(), folder_ / "stopped", stopped_at_read(30), RunMode::kNew, model()));
  ASSERT_TRUE(toy_run(algorithm(), folder_ / "stopped", std::make_shared<ToyDataset>(), RunMode::kResume, model()));
  expect_same_run(folder_ / "whole", folder_ / "stopped");
}

INSTANTIATE_TEST_SUITE_P(Families, LdmFamilyContract,
                         testing::Combine(testing::Values("cdga", "domainfusion", "fds", "mode_a"),
                                          testing::Values("few_step", "sdxl", "taesd")),
                         [](const auto& info) { return std::get<0>(info.param) + "_" + std::get<1>(info.param); });

class FewStepRun : public LdmFamilyContract {};

// The preset's values stand in the run's own description, so that a resumed run has them whatever the names are then.
TEST_P(FewStepRun, ItsPresetIsRecorded) {
  std::vector<std::string> options = model();
  if (algorithm() == "cdga") options.insert(options.begin(), "cdga.copies=1");
  ASSERT_TRUE(toy_run(algorithm(), folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options));
  const auto sampling = records("run", "sampling");
  ASSERT_EQ(sampling.size(), 1U);
  EXPECT_EQ(sampling[0].at("preset"), "few_step");
  EXPECT_EQ(sampling[0].at("guidance_scale"), 1.0);
  EXPECT_EQ(sampling[0].at("scheduler"), "auto");
  EXPECT_NE(sampling[0].at("reason").get<std::string>().find("turbo"), std::string::npos);
  const auto config = nlohmann::json::parse(read_file(folder_ / "run/run.json")).at("config");
  EXPECT_EQ(config.at(algorithm() == "cdga" ? "cdga" : "augmentation").at("guidance_scale"), 1.0);
}

INSTANTIATE_TEST_SUITE_P(Families, FewStepRun,
                         testing::Combine(testing::Values("cdga", "domainfusion"), testing::Values("few_step")),
                         [](const auto& info) { return std::get<0>(info.param); });

}  // namespace domainfusion
