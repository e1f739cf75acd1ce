#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/diffusion/vae/tiling.h"
#include "domainfusion/nn/initialise.h"
#include "peak_memory.h"

namespace domainfusion {
namespace {

AutoencoderKl small_vae() {
  AutoencoderConfig config;
  config.block_out_channels = {16, 32};
  config.norm_num_groups = 4;
  config.mid_block_add_attention = false;
  AutoencoderKl vae(config);
  initialise_parameters(*vae, 1, "vae");
  for (at::Tensor& parameter : vae->parameters()) parameter.set_requires_grad(false);
  return vae;
}

}  // namespace

TEST(Tiling, AMapOfSinglePixelsIsUnchanged) {
  torch::manual_seed(1);
  for (const auto& [h, w] : {std::pair{40, 40}, std::pair{33, 71}, std::pair{16, 90}}) {
    const at::Tensor x = torch::randn({2, 3, h, w});
    const at::Tensor y = map_in_tiles(x, {.in = 16, .out = 16}, [](const at::Tensor& tile) { return 2 * tile; });
    ASSERT_EQ(y.sizes(), x.sizes());
    EXPECT_TRUE(y.allclose(2 * x, 1e-5, 1e-6));
  }
}

TEST(Tiling, EnlargesAndReducesLikeTheWhole) {
  const at::Tensor x = torch::randn({1, 2, 24, 40});
  const auto twice = [](const at::Tensor& t) { return t.repeat_interleave(2, 2).repeat_interleave(2, 3); };
  EXPECT_TRUE(map_in_tiles(x, {.in = 8, .out = 16}, twice).allclose(twice(x), 1e-5, 1e-6));
  const auto half = [](const at::Tensor& t) { return at::avg_pool2d(t, 2); };
  EXPECT_TRUE(map_in_tiles(x, {.in = 16, .out = 8}, half).allclose(half(x), 1e-5, 1e-6));
}

TEST(Tiling, TheAutoencoderNeedsLessMemoryAndStaysClose) {
  const torch::NoGradGuard no_grad;
  AutoencoderKl vae = small_vae();
  const at::Tensor image =
      at::upsample_bilinear2d(torch::randn({1, 3, 8, 8}), at::IntArrayRef({512, 512}), false).sigmoid();
  at::Tensor whole_z, whole, tiled_z, tiled;
  const double whole_mib = peak_growth_mib([&] { whole = vae->decode(whole_z = vae->encode(image).mean_NChw); });
  vae->use_tiles(128);
  const double tiled_mib = peak_growth_mib([&] { tiled = vae->decode(tiled_z = vae->encode(image).mean_NChw); });
  EXPECT_LT(tiled_mib, whole_mib / 2);
  EXPECT_LT((tiled_z - whole_z).square().mean().item<double>(), 0.1 * whole_z.var().item<double>());
  EXPECT_EQ(tiled.sizes(), whole.sizes());
}

TEST(Tiling, TilesThatTheNetworkCannotHalveAreRefused) {
  AutoencoderKl vae = small_vae();
  EXPECT_THROW(vae->use_tiles(31), ConfigError);
  EXPECT_THROW(vae->use_tiles(20), ConfigError);
  EXPECT_THROW(
      map_in_tiles(torch::zeros({1, 1, 64, 64}), {.in = 25, .out = 200}, [](const at::Tensor& t) { return t; }),
      ConfigError);
  EXPECT_THROW(map_in_tiles(torch::zeros({1, 1, 4, 4}), {.in = 1, .out = 1}, [](const at::Tensor& t) { return t; }),
               ConfigError);
}

}  // namespace domainfusion
