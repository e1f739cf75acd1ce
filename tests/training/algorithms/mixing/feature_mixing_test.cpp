#include "domainfusion/training/algorithms/mixing/feature_mixing.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

#include "domainfusion/training/make_optimizer.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

const at::Tensor kDomains = torch::tensor({0, 0, 0, 1, 1, 2, 2, 2}, torch::kLong);

std::optional<FeatureMix> draw(const FeatureMixingConfig& config, std::uint64_t step) {
  return draw_feature_mix(config, kDomains, {1, "mixstyle", {step}});
}

class FeatureMixingRun : public testing::TestWithParam<std::string> {
 protected:
  // The weights after a run of a few steps with these options of the algorithm.
  std::string weights_of(const std::string& algorithm, const std::vector<std::string>& overrides) {
    const auto run = folder_ / fmt::format("run{}", runs_++);
    EXPECT_TRUE(toy_run(algorithm, run, std::make_shared<ToyDataset>(), RunMode::kNew, overrides));
    return read_file(run / "best.safetensors");
  }
  std::string refusal(const std::vector<std::string>& overrides) {
    try {
      toy_run(GetParam(), folder_ / "refused", std::make_shared<ToyDataset>(), RunMode::kNew, overrides);
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "not refused";
  }
  std::string option(const std::string& assignment) { return GetParam() + "." + assignment; }

  TemporaryFolder folder_;
  int runs_ = 0;
};

}  // namespace

TEST(FeatureMix, MixesInTheGivenShareOfSteps) {
  FeatureMixingConfig config;
  int mixing = 0;
  for (std::uint64_t step = 0; step < 400; ++step) mixing += draw(config, step) ? 1 : 0;
  EXPECT_NEAR(mixing, 200, 40);
  config.p = 0;
  EXPECT_FALSE(draw(config, 0));
  config.p = 1;
  EXPECT_TRUE(draw(config, 0));
}

TEST(FeatureMix, RandomPartnersAreAPermutationWithSharesOfTheirOwn) {
  FeatureMixingConfig config;
  config.p = 1;
  const FeatureMix mix = *draw(config, 0);
  EXPECT_TRUE(torch::equal(std::get<0>(mix.partner_N.sort()), torch::arange(8)));
  EXPECT_GT(mix.own_share_N.std().item<double>(), 0);
  EXPECT_FALSE(torch::equal(mix.partner_N, draw(config, 1)->partner_N));
  EXPECT_TRUE(torch::equal(mix.own_share_N, draw(config, 0)->own_share_N));
}

TEST(FeatureMix, CrossdomainPartnersAreAlwaysOfAnotherDomainAndReachAllOfThem) {
  FeatureMixingConfig config;
  config.p = 1;
  config.mix = MixPartner::kCrossDomain;
  std::set<std::int64_t> met;
  for (std::uint64_t step = 0; step < 50; ++step) {
    const FeatureMix mix = *draw(config, step);
    for (std::int64_t i = 0; i < 8; ++i) {
      const auto partner = mix.partner_N[i].item<std::int64_t>();
      EXPECT_NE(kDomains[partner].item<std::int64_t>(), kDomains[i].item<std::int64_t>());
      if (i == 0) met.insert(partner);
    }
  }
  EXPECT_EQ(met, (std::set<std::int64_t>{3, 4, 5, 6, 7}));
  EXPECT_THROW(draw_feature_mix(config, torch::zeros({4}, torch::kLong), {1, "mixstyle"}), ConfigError);
}

TEST_P(FeatureMixingRun, WithProbabilityZeroItIsErmToTheBit) {
  EXPECT_TRUE(weights_of(GetParam(), {option("p=0")}) == weights_of("erm", {}));
  EXPECT_FALSE(weights_of(GetParam(), {option("p=1")}) == weights_of("erm", {}));
}

TEST_P(FeatureMixingRun, WhoseStyleAndWhereAreOptions) {
  const std::string usual = weights_of(GetParam(), {option("p=1")});
  EXPECT_FALSE(weights_of(GetParam(), {option("p=1"), option("mix=crossdomain")}) == usual);
  EXPECT_FALSE(weights_of(GetParam(), {option("p=1"), option("layers=[3]")}) == usual);
  EXPECT_TRUE(weights_of(GetParam(), {option("p=1"), option("layers=[2,1]")}) == usual);
}

TEST_P(FeatureMixingRun, TheNetworkIsTheSameOutsideOfTheLoss) {
  RunSetup setup = toy_setup(GetParam(), {option("p=1"), "classifier.dropout=0"});
  TrainingContext context;
  context.config = setup.config;
  context.classifier = Classifier(setup.config.classifier, 2, 1);
  context.classifier->eval();
  setup.algorithm->prepare(context);
  const at::Tensor images = torch::ones({2, 3, 16, 16});
  const at::Tensor before = setup.algorithm->predict(images);
  const auto optimizer = make_optimizer(setup.config.optimizer, context.classifier->parameters());
  optimizer->set_lr(0);
  context.optimizer = optimizer.get();
  setup.algorithm->update(0, {torch::randn({8, 3, 16, 16}), torch::arange(8) % 2, kDomains, torch::arange(8)});
  EXPECT_TRUE(torch::equal(setup.algorithm->predict(images), before));
}

TEST_P(FeatureMixingRun, BackbonesWithoutStagesAndBatchesInPartsAreRefused) {
  EXPECT_NE(refusal({"classifier.backbone=vit_b_32", "classifier.stem=imagenet", "classifier.width=4",
                     "loader.image_size_px=32"})
                .find("residual stages, which the backbone vit_b_32"),
            std::string::npos);
  EXPECT_NE(refusal({"optimizer.accumulation_steps=2"}).find("in parts"), std::string::npos);
}

TEST_P(FeatureMixingRun, LayersWithMapsOfOneValueAreRefusedAndNothingIsLeft) {
  // Sides at 16 px: 8, 4, 2, 1.
  EXPECT_NE(refusal({option("layers=[1,4]")}).find("layers names stage 4, whose maps are 1 x 1"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "refused"));
  EXPECT_EQ(refusal({option("layers=[3]"), option("p=1"), "loader.batch_size=1"}), "not refused");
}

INSTANTIATE_TEST_SUITE_P(Methods, FeatureMixingRun, testing::Values("mixstyle", "efdmix"),
                         [](const auto& info) { return info.param; });

}  // namespace domainfusion
