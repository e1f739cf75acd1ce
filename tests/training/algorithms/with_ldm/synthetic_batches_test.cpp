#include "domainfusion/training/algorithms/with_ldm/synthetic_batches.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/augmentation/styles/fourier.h"
#include "domainfusion/core/error.h"
#include "test_device.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

Batch contents(std::int64_t images) {
  torch::manual_seed(1);
  return {torch::randn({images, 3, 8, 6}).to(test_device()), torch::arange(images).to(test_device()),
          torch::zeros({images}, torch::kLong), torch::arange(images)};
}

at::Tensor styles(std::int64_t images) {
  torch::manual_seed(2);
  return torch::randn({images, 3, 8, 6});
}

const RandomStream kStream{1, "shared styles", {7}};

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

TEST(SharedStyles, EachImageKeepsItsPhaseAndTakesAShareOfADrawnAmplitude) {
  const Batch content = contents(5);
  const at::Tensor style = styles(3);
  const Batch styled = with_styles(content, style, 0.6, kStream);
  RandomStream draws = kStream;
  for (std::int64_t i = 0; i < 5; ++i) {
    const at::Tensor drawn = style.narrow(0, static_cast<std::int64_t>(draws.below(3)), 1).to(test_device());
    const double share = draws.uniform(0, 0.6);
    const StyleContent own = fourier_spectrum(content.image_NCHW.narrow(0, i, 1));
    const at::Tensor expected =
        image_from_spectrum(mix_amplitudes(own.style, fourier_spectrum(drawn).style, share, 0), own.content);
    EXPECT_TRUE(torch::allclose(styled.image_NCHW.narrow(0, i, 1), expected, 1e-4, 1e-5)) << i;
  }
  EXPECT_TRUE(torch::equal(styled.label_N, content.label_N));
  EXPECT_TRUE(torch::equal(styled.index_N, content.index_N));
}

TEST(SharedStyles, NoShareIsTheImageItself) {
  const Batch content = contents(4);
  EXPECT_TRUE(torch::allclose(with_styles(content, styles(2), 0, kStream).image_NCHW, content.image_NCHW, 1e-4, 1e-5));
}

TEST(SharedStyles, EqualStreamsGiveEqualBits) {
  const auto images = [](std::uint64_t step) {
    return with_styles(contents(4), styles(3), 1, {1, "shared styles", {step}}).image_NCHW;
  };
  EXPECT_TRUE(torch::equal(images(3), images(3)));
  EXPECT_FALSE(torch::equal(images(3), images(4)));
}

TEST(SharedStyles, OtherSizesAreRefused) {
  EXPECT_THROW(with_styles(contents(4), torch::zeros({2, 3, 8, 8}), 1, kStream), ShapeError);
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
