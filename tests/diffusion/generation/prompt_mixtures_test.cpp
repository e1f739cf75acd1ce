// FDS' samplers, against their formulas written out in float64.
#include "domainfusion/diffusion/generation/prompt_mixtures.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/random/random_tensor.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

constexpr double kFirstShare = 0.35, kMixtureScale = 4.5;
constexpr std::int64_t kMixtureSteps = 6;

class PromptMixtures : public testing::TestWithParam<MixtureSampler> {
 protected:
  MixtureRequest request(std::int64_t images = 1) const {
    MixtureRequest r;
    r.sampler = GetParam();
    r.steps = kMixtureSteps;
    for (std::int64_t i = 0; i < images; ++i) {
      r.mixtures.push_back({"photo, a dog", "sketch, a cat", kFirstShare + 0.2 * static_cast<double>(i),
                            kMixtureScale - static_cast<double>(i)});
      r.noise_streams.emplace_back(3, "mixture", std::initializer_list<std::uint64_t>{static_cast<std::uint64_t>(i)});
    }
    return r;
  }
  at::Tensor predicted(const at::Tensor& z, double t, const at::Tensor& condition) const {
    return model_.predict(z.to(torch::kFloat32), torch::full({1}, t), condition.to(torch::kFloat32))
        .to(torch::kFloat64);
  }
  // DDIM (Song et al. 2021, eq. 12, eta = 0) from z to the level of the next timestep, -1: the end.
  at::Tensor ddim_step(const at::Tensor& z, const at::Tensor& e, double t, double next) const {
    const at::Tensor abar = model_.alphas_cumprod().to(torch::kFloat64);
    const auto level = [&](double at) { return abar[static_cast<std::int64_t>(at)].item<double>(); };
    const double a = level(t), b = next < 0 ? level(0) : level(next);
    return std::sqrt(b) * (z - std::sqrt(1 - a) * e) / std::sqrt(a) + std::sqrt(1 - b) * e;
  }

  LatentDiffusion model_ = LatentDiffusion::load(kTinySd15);
};

at::Tensor guided(const at::Tensor& negative, const at::Tensor& towards) {
  return negative + kMixtureScale * (towards - negative);
}

}  // namespace

TEST_P(PromptMixtures, AreTheirFormulaStepByStep) {
  const torch::NoGradGuard no_grad;
  RandomStream noise(3, "mixture", {0});
  at::Tensor z = normal_tensor(noise, model_.latent_shape()).unsqueeze(0).to(torch::kFloat64);
  const at::Tensor c1 = model_.embed({"photo, a dog"}), c2 = model_.embed({"sketch, a cat"}), none = model_.embed({""});
  const at::Tensor c = kFirstShare * c1.to(torch::kFloat64) + (1 - kFirstShare) * c2.to(torch::kFloat64);
  const auto scheduler = make_scheduler("ddim", model_.scheduler_config());
  scheduler->set_timesteps(kMixtureSteps);
  const std::vector<double> t = scheduler->timesteps();
  ASSERT_EQ(t.size(), static_cast<std::size_t>(kMixtureSteps));

  at::Tensor z1 = z, z2 = z;
  for (std::size_t i = 0; i < t.size(); ++i) {
    const double next = i + 1 < t.size() ? t[i + 1] : -1;
    const auto step = [&](const at::Tensor& from, const at::Tensor& towards) {
      return ddim_step(from, guided(predicted(from, t[i], none), towards), t[i], next);
    };
    if (GetParam() == MixtureSampler::kPrediction) {
      z = step(z, kFirstShare * predicted(z, t[i], c1) + (1 - kFirstShare) * predicted(z, t[i], c2));
    } else if (GetParam() == MixtureSampler::kTrajectories && i < 3) {
      z1 = step(z1, predicted(z1, t[i], c1));
      z2 = step(z2, predicted(z2, t[i], c2));
      z = kFirstShare * z1 + (1 - kFirstShare) * z2;
    } else {
      z = step(z, predicted(z, t[i], c));
    }
  }
  const at::Tensor made = mixed_latents(model_, request()).to(torch::kFloat64);
  const double size = z.abs().max().item<double>();
  EXPECT_LT((made - z).abs().max().item<double>(), 1e-4 * size);
}

// Images of a batch have their own shares, scales and noise.
TEST_P(PromptMixtures, DoNotDependOnTheBatch) {
  const MixtureRequest both = request(2);
  const at::Tensor together = mixed_images(model_, both);
  for (std::size_t i = 0; i < 2; ++i) {
    MixtureRequest one = both;
    one.mixtures = {both.mixtures[i]};
    one.noise_streams = {both.noise_streams[i]};
    const at::Tensor alone = mixed_images(model_, one);
    EXPECT_LT((alone[0] - together[static_cast<std::int64_t>(i)]).abs().max().item<double>(), 1e-4);
  }
  EXPECT_GT((together[0] - together[1]).abs().max().item<double>(), 1e-2);
}

TEST_P(PromptMixtures, CountTheirPassesThroughTheUnet) {
  const bool two = GetParam() != MixtureSampler::kCondition;
  const bool trajectories = GetParam() == MixtureSampler::kTrajectories;
  const MixtureSampling sampling = request();
  const nlohmann::json config = model_.scheduler_config();
  EXPECT_EQ(unet_passes(config, sampling, true), trajectories ? 18 : two ? 18 : 12);
  EXPECT_EQ(unet_passes(config, sampling, false), trajectories ? 9 : two ? 12 : 6);
  EXPECT_EQ(rows_per_image(sampling, true), trajectories ? 4 : two ? 3 : 2);
  EXPECT_EQ(rows_per_image(sampling, false), two ? 2 : 1);
}

INSTANTIATE_TEST_SUITE_P(Samplers, PromptMixtures,
                         testing::Values(MixtureSampler::kCondition, MixtureSampler::kPrediction,
                                         MixtureSampler::kTrajectories));

TEST(PromptMixturesRefuse, WhatCannotWork) {
  const LatentDiffusion model = LatentDiffusion::open(kTinySd15);
  MixtureRequest r;
  r.mixtures = {{"a", "b", 1.5, 5}};
  r.noise_streams.emplace_back(0, "x", std::initializer_list<std::uint64_t>{});
  EXPECT_THROW(mixed_latents(model, r), ConfigError);
  r.mixtures[0] = {"a", "b", 0.5, 0.5};
  EXPECT_THROW(mixed_latents(model, r), ConfigError);
  r.mixtures[0].guidance_scale = 5;
  r.sampler = MixtureSampler::kTrajectories;
  r.steps = 1;
  EXPECT_THROW(mixed_latents(model, r), ConfigError);
  r.steps = 4;
  r.scheduler = "ddim_inverse";
  EXPECT_THROW(mixed_latents(model, r), ConfigError);
  r.noise_streams.clear();
  EXPECT_THROW(mixed_latents(model, r), ShapeError);
}

}  // namespace domainfusion
