#include "domainfusion/diffusion/generation/denoising.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "tiny_models.h"

namespace domainfusion {

// Ho and Salimans 2022: away from the negative prompt's prediction, by the scale.
TEST(GuidedPrediction, LeadsFromTheNegativePromptTowardsThePrompt) {
  const LatentDiffusion model = LatentDiffusion::load(kTinySd15);
  torch::manual_seed(1);
  std::vector<std::int64_t> shape = model.latent_shape();
  shape.insert(shape.begin(), 1);
  const at::Tensor z = torch::randn(shape), t = torch::tensor({400});
  const torch::NoGradGuard no_grad;
  const at::Tensor with = model.predict(z, t, model.embed({"a dog"})),
                   without = model.predict(z, t, model.embed({"a cat"}));
  ASSERT_GT((with - without).abs().max().item<double>(), 1e-3);
  EXPECT_TRUE(torch::allclose(GuidedPrediction(model, {"a dog"}, "a cat", 3)(z, 400), without + 3 * (with - without),
                              1e-3, 1e-4));
  EXPECT_TRUE(torch::allclose(GuidedPrediction(model, {"a dog"}, "a cat", 1)(z, 400), with, 1e-4, 1e-5));
}

}  // namespace domainfusion
