#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/diffusion/adapted/lora_file.h"
#include "domainfusion/diffusion/diffusers_writer.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

const std::string kModule = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";

class Lora : public testing::Test {
 protected:
  Lora() {
    torch::manual_seed(3);
    for (const auto& [name, tensor] : LatentDiffusion::open(kTinySd15).source().weights(LdmPart::kUnet))
      weights_[name] = tensor;
    const std::int64_t channels = weights_.at(kModule + ".weight").size(0);
    down_ = torch::randn({2, channels});
    up_ = torch::randn({channels, 2});
  }

  LatentDiffusion opened(const TensorMap& tensors, double scale = 1, const std::string& name = "lora.safetensors") {
    save_tensors(folder_ / name, tensors);
    LdmOptions options;
    options.loras = {{folder_ / name, scale}};
    return LatentDiffusion::open(kTinySd15, options);
  }
  at::Tensor merged(const TensorMap& tensors, const std::string& module = kModule, double scale = 1) {
    return opened(tensors, scale).source().weights(LdmPart::kUnet).at(module + ".weight");
  }
  void expect_refused(const TensorMap& tensors, const std::string& part) {
    try {
      opened(tensors);
      ADD_FAILURE() << "accepted; expected " << part;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_NE(std::string(error.what()).find("lora.safetensors"), std::string::npos) << error.what();
    }
  }
  at::Tensor expected(double scale) { return weights_.at(kModule + ".weight") + scale * at::mm(up_, down_); }
  TensorMap plain() {
    return {{"unet." + kModule + ".lora_A.weight", down_}, {"unet." + kModule + ".lora_B.weight", up_}};
  }

  TemporaryFolder folder_;
  TensorMap weights_;
  at::Tensor down_, up_;
};

}  // namespace

TEST_F(Lora, EverySpellingOfAModuleMeansTheSameWeight) {
  const std::string flat = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
  const std::string compvis = "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q";
  const std::string processor = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora";
  const std::vector<std::pair<std::string, std::string>> spellings{
      {flat + ".lora_down.weight", flat + ".lora_up.weight"},
      {compvis + ".lora_down.weight", compvis + ".lora_up.weight"},
      {"unet." + processor + ".down.weight", "unet." + processor + ".up.weight"},
      {processor + ".down.weight", processor + ".up.weight"},
      {"base_model.model." + kModule + ".lora_A.weight", "base_model.model." + kModule + ".lora_B.weight"},
      {"unet." + kModule + ".lora_A.default.weight", "unet." + kModule + ".lora_B.default.weight"},
      {"unet." + kModule + ".lora.down.weight", "unet." + kModule + ".lora.up.weight"}};
  for (const auto& [down, up] : spellings)
    EXPECT_TRUE(merged({{down, down_}, {up, up_}}).allclose(expected(1))) << down;
}

TEST_F(Lora, AlphaOverRankAndTheScaleAreFactors) {
  TensorMap tensors = plain();
  tensors["unet." + kModule + ".alpha"] = torch::tensor(6.0);
  EXPECT_TRUE(merged(tensors, kModule, 0.5).allclose(expected(0.5 * 6 / 2), 1e-4, 1e-5));
}

TEST_F(Lora, PeftsConfigBesideTheFileHoldsAlpha) {
  std::ofstream(folder_ / "adapter_config.json") << R"({"lora_alpha": 8, "r": 2})";
  const auto model = opened(plain(), 1, "adapter_model.safetensors");
  EXPECT_TRUE(model.source().weights(LdmPart::kUnet).at(kModule + ".weight").allclose(expected(4), 1e-4, 1e-5));
}

TEST_F(Lora, ConvolutionsMayHaveAMiddle) {
  const std::string module = "down_blocks.0.resnets.0.conv1";
  const at::Tensor weight = weights_.at(module + ".weight");
  const std::int64_t channels = weight.size(0), inputs = weight.size(1);
  const at::Tensor down = torch::randn({3, inputs, 1, 1}), up = torch::randn({channels, 2, 1, 1}),
                   mid = torch::randn({2, 3, 3, 3});
  at::Tensor sum = torch::zeros_like(weight);
  for (std::int64_t p = 0; p < 2; ++p) {
    for (std::int64_t q = 0; q < 3; ++q) {
      sum += up.select(1, p).reshape({channels, 1, 1, 1}) * down[q].reshape({1, inputs, 1, 1}) *
             mid[p][q].reshape({1, 1, 3, 3});
    }
  }
  const std::string flat = "lora_unet_down_blocks_0_resnets_0_conv1";
  const at::Tensor got = merged(
      {{flat + ".lora_down.weight", down}, {flat + ".lora_up.weight", up}, {flat + ".lora_mid.weight", mid}}, module);
  EXPECT_TRUE(got.allclose(weight + sum, 1e-4, 1e-5));
}

TEST_F(Lora, WhatFitsNothingIsListed) {
  TensorMap tensors = plain();
  tensors["unet.down_blocks.7.attentions.0.to_q.lora_A.weight"] = down_;
  expect_refused(tensors, "down_blocks.7.attentions.0.to_q.lora_A.weight");
  tensors = plain();
  tensors["lora_unet_" + kModule + ".hada_w1_a"] = down_;
  expect_refused(tensors, "hada_w1_a");
  expect_refused({{"unet." + kModule + ".lora_A.weight", down_}}, "up matrix");
  expect_refused(
      {{"unet." + kModule + ".lora_A.weight", down_}, {"unet." + kModule + ".lora_B.weight", up_.slice(0, 1)}},
      kModule);
  expect_refused({{"unet." + kModule + ".lora_A.weight", down_ * NAN}, {"unet." + kModule + ".lora_B.weight", up_}},
                 "not finite");
  expect_refused({{"unet." + kModule + ".alpha", torch::tensor(1.0)}}, "matrix");
  expect_refused({{"something", torch::ones({2})}}, "something");
}

TEST_F(Lora, BelongsToTheModelsIdentity) {
  const std::string plain_hash = LatentDiffusion::open(kTinySd15).weights_hash();
  const std::string whole = opened(plain()).weights_hash(), half = opened(plain(), 0.5).weights_hash();
  EXPECT_NE(whole, plain_hash);
  EXPECT_NE(whole, half);
  EXPECT_EQ(whole, opened(plain()).weights_hash());
}

TEST_F(Lora, ConvertWritesTheMergedModel) {
  const LatentDiffusion model = opened(plain());
  write_diffusers_folder(folder_ / "merged", model, std::nullopt);
  const TensorMap merged = LatentDiffusion::load(folder_ / "merged").source().weights(LdmPart::kUnet);
  for (const auto& [name, tensor] : model.source().weights(LdmPart::kUnet))
    EXPECT_TRUE(merged.at(name).equal(tensor)) << name;
  EXPECT_FALSE(merged.at(kModule + ".weight").equal(weights_.at(kModule + ".weight")));
}

TEST_F(Lora, ANameOfAFewStepsCounts) {
  EXPECT_TRUE(opened(plain(), 1, "lcm-lora-sdv1-5.safetensors").few_step_kind().few_step);
  EXPECT_FALSE(opened(plain(), 1, "style.safetensors").few_step_kind().few_step);
}

TEST(LoraChoice, AScaleStandsBehindTheLastColon) {
  EXPECT_EQ(lora_choice("a.safetensors").scale, 1);
  EXPECT_EQ(lora_choice("C:/a.safetensors:0.25").scale, 0.25);
  EXPECT_EQ(lora_choice("C:/a.safetensors:0.25").path, "C:/a.safetensors");
  EXPECT_EQ(lora_choice("a.safetensors:-1").scale, -1);
  EXPECT_THROW(lora_choice("a.safetensors:much"), ConfigError);
  EXPECT_THROW(lora_choice("a.safetensors:inf"), ConfigError);
}

TEST(CompvisUnetNames, AreThoseOfTheOriginalFiles) {
  EXPECT_EQ(compvis_unet_name("down_blocks.1.attentions.0.proj_in.weight", 2), "input_blocks.4.1.proj_in.weight");
  EXPECT_EQ(compvis_unet_name("down_blocks.0.downsamplers.0.conv.weight", 2), "input_blocks.3.0.op.weight");
  EXPECT_EQ(compvis_unet_name("up_blocks.0.resnets.2.conv1.weight", 2), "output_blocks.2.0.in_layers.2.weight");
  EXPECT_EQ(compvis_unet_name("up_blocks.0.upsamplers.0.conv.weight", 2), "output_blocks.2.2.conv.weight");
  EXPECT_EQ(compvis_unet_name("mid_block.resnets.1.conv2.weight", 2), "middle_block.2.out_layers.3.weight");
  EXPECT_EQ(compvis_unet_name("mid_block.attentions.0.norm.weight", 2), "middle_block.1.norm.weight");
  EXPECT_EQ(compvis_unet_name("unknown.weight", 2), "");
}

}  // namespace domainfusion
