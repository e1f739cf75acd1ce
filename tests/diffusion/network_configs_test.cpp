#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/clip_text_config.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"

namespace domainfusion {
namespace {

using nlohmann::json;

template <class Config>
void expect_refused(const json& object, const std::string& field) {
  try {
    Config::from_json(object, "config.json");
    ADD_FAILURE() << object << " was accepted";
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find(field), std::string::npos) << error.what();
  }
}

UNetConfig compact_unet() {
  UNetConfig c;
  c.sample_size = 4;
  c.block_out_channels = {8, 16};
  c.down_block_types = {"DownBlock2D", "CrossAttnDownBlock2D"};
  c.up_block_types = {"CrossAttnUpBlock2D", "UpBlock2D"};
  c.layers_per_block = {1, 2};
  c.attention_head_dim = {2};
  c.cross_attention_dim = 6;
  c.norm_num_groups = 2;
  return c;
}

}  // namespace

TEST(UNetConfig, EveryUnsupportedFieldIsNamed) {
  const std::vector<std::pair<std::string, json>> unsupported{
      {"class_embed_type", "timestep"},
      {"addition_embed_type", "text"},
      {"dual_cross_attention", true},
      {"only_cross_attention", true},
      {"num_attention_heads", 8},
      {"resnet_time_scale_shift", "scale_shift"},
      {"mid_block_type", "UNetMidBlock2DSimpleCrossAttn"},
      {"act_fn", "gelu"},
      {"dropout", 0.1},
      {"conv_in_kernel", 5},
      {"time_embedding_type", "fourier"},
      {"down_block_types", json::array({"AttnDownBlock2D", "A", "B", "C"})},
      {"down_block_types", json::array({"DownBlock2D"})},
      {"attention_head_dim", json::array({1, 2})},
      {"block_out_channels", json::array({0, 8, 8, 8})},
      {"in_channels", "four"},
      {"a_field_of_tomorrow", 3}};
  for (const auto& [key, value] : unsupported) {
    expect_refused<UNetConfig>({{key, value}}, key);
  }
}

TEST(UNetConfig, AbsentNullAndPrivateFieldsAreNoObstacle) {
  const UNetConfig c = UNetConfig::from_json(
      {{"_name", "x"}, {"class_embed_type", nullptr}, {"tomorrow", nullptr}, {"upcast_attention", nullptr}}, "c");
  EXPECT_EQ(c.cross_attention_dim, 1280);
  EXPECT_EQ(c.to_json(), UNetConfig().to_json());
}

TEST(UNetConfig, CompactNetworksOfAnyBlocksRunForwardAndBackward) {
  UNet2dCondition unet(compact_unet());
  const at::Tensor out = unet(torch::rand({2, 4, 5, 4}), torch::tensor({3, 999}), torch::rand({2, 7, 6}));
  EXPECT_EQ(out.sizes(), at::IntArrayRef({2, 4, 5, 4}));
  out.square().mean().backward();
  for (const auto& parameter : unet->named_parameters())
    EXPECT_TRUE(parameter.value().grad().defined()) << parameter.key();
  EXPECT_THROW(unet(torch::rand({2, 3, 4, 4}), torch::tensor({3, 9}), torch::rand({2, 7, 6})), ShapeError);
  EXPECT_THROW(unet(torch::rand({2, 4, 4, 4}), torch::tensor({3}), torch::rand({2, 7, 6})), ShapeError);
  EXPECT_THROW(unet(torch::rand({2, 4, 4, 4}), torch::tensor({3, 9}), torch::rand({2, 7, 5})), ShapeError);
}

TEST(UNetConfig, GroupsAndHeadsThatDoNotDivideTheChannelsAreRefused) {
  UNetConfig c = compact_unet();
  c.norm_num_groups = 3;
  EXPECT_THROW(UNet2dCondition{c}, ConfigError);
  c = compact_unet();
  c.attention_head_dim = {3};
  EXPECT_THROW(UNet2dCondition{c}, ConfigError);
}

TEST(AutoencoderConfig, EveryUnsupportedFieldIsNamed) {
  expect_refused<AutoencoderConfig>({{"use_quant_conv", false}}, "use_quant_conv");
  expect_refused<AutoencoderConfig>({{"latents_mean", json::array({0.1})}}, "latents_mean");
  expect_refused<AutoencoderConfig>({{"act_fn", "relu"}}, "act_fn");
  expect_refused<AutoencoderConfig>({{"up_block_types", json::array({"AttnUpDecoderBlock2D"})}}, "up_block_types");
  expect_refused<AutoencoderConfig>({{"scaling_factor", "big"}}, "scaling_factor");
}

TEST(ClipTextConfig, EveryUnsupportedFieldIsNamed) {
  expect_refused<ClipTextConfig>({{"hidden_act", "relu"}}, "hidden_act");
  expect_refused<ClipTextConfig>({{"model_type", "t5"}}, "model_type");
  expect_refused<ClipTextConfig>({{"num_attention_heads", 7}}, "num_attention_heads");
}

TEST(AutoencoderKl, ImagesThatDoNotDivideAreRefused) {
  AutoencoderConfig c;
  c.block_out_channels = {4, 8};
  c.norm_num_groups = 2;
  AutoencoderKl vae(c);
  EXPECT_EQ(vae->encode(torch::rand({1, 3, 8, 6})).mean_NChw.sizes(), at::IntArrayRef({1, 4, 4, 3}));
  EXPECT_THROW(vae->encode(torch::rand({1, 3, 8, 7})), ShapeError);
  EXPECT_THROW(vae->encode(torch::rand({1, 1, 8, 8})), ShapeError);
}

}  // namespace domainfusion
