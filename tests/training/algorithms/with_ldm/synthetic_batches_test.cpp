#include "domainfusion/training/algorithms/with_ldm/synthetic_batches.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "test_device.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class SharedStylesRun : public testing::Test {
 protected:
  std::vector<double> losses(const std::string& from, const std::vector<std::string>& more = {}) {
    std::vector<std::string> all{"domainfusion.shared_styles=" + from, "domainfusion.latent_distillation=false",
                                 "augmentation.images_per_round=1"};
    all.insert(all.end(), more.begin(), more.end());
    EXPECT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kOverwrite, all));
    std::vector<double> values;
    for (const auto& record : read_json_lines(folder_ / "run" / "records.jsonl")) {
      if (record.at("type") == "step") values.push_back(record.at("loss_synthetic"));
    }
    return values;
  }
  TemporaryFolder folder_;
};

}  // namespace

// Black and white are -2.1 and 2.6 when normalised: between them the sign of the mean changes.
TEST(SharedStyles, ADarkImageWithTheStyleOfALightOneIsLight) {
  const auto flat = [](double value) { return normalise(torch::full({4, 3, 8, 6}, value)).to(test_device()); };
  const RandomStream stream{1, "shared styles", {7}};
  const at::Tensor image01 = denormalise(restyled(flat(0.1), flat(0.9), 1, stream));
  RandomStream draws = stream;
  for (std::int64_t i = 0; i < 4; ++i) {
    draws.below(4);
    const double expected = 0.1 + 0.8 * static_cast<float>(draws.uniform(0, 1));
    EXPECT_NEAR(image01[i].min().item<double>(), expected, 1e-4) << i;
    EXPECT_NEAR(image01[i].max().item<double>(), expected, 1e-4) << i;
  }
}

TEST_F(SharedStylesRun, OneSyntheticImageIsAStyleOfAWholeBatch) {
  const auto none = losses("none"), synthetic = losses("synthetic"), raw = losses("raw");
  ASSERT_EQ(synthetic.size(), 9u);
  EXPECT_NE(synthetic, none);
  EXPECT_NE(synthetic, raw);
  EXPECT_EQ(synthetic, losses("synthetic"));
  // Without any share of it the synthetic image has no part in training.
  EXPECT_EQ(losses("synthetic", {"domainfusion.max_style_share=0"}), losses("raw", {"domainfusion.max_style_share=0"}));
}

TEST_F(SharedStylesRun, IsTheSameWhenResumed) {
  const std::vector<std::string> shared{"domainfusion.shared_styles=synthetic"};
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, shared));
  EXPECT_FALSE(toy_run("domainfusion", folder_ / "run", stopped_at_read(60), RunMode::kNew, shared));
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kResume, shared));
  expect_same_run(folder_ / "whole", folder_ / "run");
}

TEST_F(SharedStylesRun, OptionsThatWouldBeWithoutEffectAreRefused) {
  const auto refusal = [&](const std::string& option) {
    try {
      losses("synthetic", {option});
    } catch (const ConfigError& error) {
      return std::string(error.what());
    }
    return std::string("not refused");
  };
  EXPECT_NE(refusal("domainfusion.synthetic_repeats=1").find("set one of them"), std::string::npos);
  EXPECT_NE(refusal("distillation.images=raw_and_synthetic").find("set one of them"), std::string::npos);
  EXPECT_NE(refusal("domainfusion.online_augmentation=false").find("it needs"), std::string::npos);
  EXPECT_NE(refusal("domainfusion.lambda_syn=0").find("it needs"), std::string::npos);
}

}  // namespace domainfusion
