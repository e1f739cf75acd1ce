#include "domainfusion/fetch/needed_files.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

using Names = std::vector<std::string>;

const nlohmann::json kPipeline = {{"_class_name", "StableDiffusionPipeline"},
                                  {"scheduler", {"diffusers", "PNDMScheduler"}},
                                  {"safety_checker", {"stable_diffusion", "StableDiffusionSafetyChecker"}},
                                  {"image_encoder", {nullptr, nullptr}},
                                  {"tokenizer", {"transformers", "CLIPTokenizer"}},
                                  {"unet", {"diffusers", "UNet2DConditionModel"}}};
const Names kSmall = {"model_index.json", "scheduler/scheduler_config.json", "tokenizer/merges.txt",
                      "tokenizer/vocab.json", "unet/config.json"};

Names with_weights(Names names, const Names& weights) {
  names.insert(names.end(), weights.begin(), weights.end());
  return names;
}

// The weights among the files that are needed of the pipeline's U-Net.
Names chosen_of(const Names& weights, const std::string& variant = "") {
  Names needed = needed_files(with_weights(kSmall, weights), kPipeline, variant);
  EXPECT_TRUE(std::equal(kSmall.begin(), kSmall.end(), needed.begin()));
  needed.erase(needed.begin(), needed.begin() + static_cast<std::ptrdiff_t>(kSmall.size()));
  return needed;
}

}  // namespace

TEST(NeededFiles, OfAPipelineTheNetworksThatMakeImagesAreNeeded) {
  const Names others = {".gitattributes",
                        "README.md",
                        "v1-5-pruned.ckpt",
                        "safety_checker/config.json",
                        "safety_checker/model.safetensors",
                        "feature_extractor/preprocessor_config.json",
                        "unet/README.md"};
  const Names weights = {"unet/diffusion_pytorch_model.safetensors"};
  EXPECT_EQ(needed_files(with_weights(with_weights(kSmall, weights), others), kPipeline, ""),
            with_weights(kSmall, weights));
}

TEST(NeededFiles, WeightsComeInOneFormatAndPrecision) {
  const Names all = {"unet/diffusion_pytorch_model.bin",
                     "unet/diffusion_pytorch_model.fp16.bin",
                     "unet/diffusion_pytorch_model.fp16.safetensors",
                     "unet/diffusion_pytorch_model.non_ema.safetensors",
                     "unet/diffusion_pytorch_model.safetensors",
                     "unet/diffusion_flax_model.msgpack",
                     "unet/openvino_model.bin"};
  EXPECT_EQ(chosen_of(all), Names{"unet/diffusion_pytorch_model.safetensors"});
  EXPECT_EQ(chosen_of(all, "fp16"), Names{"unet/diffusion_pytorch_model.fp16.safetensors"});
  EXPECT_EQ(chosen_of({all[0], all[3]}), Names{all[0]});
  EXPECT_EQ(chosen_of({all[0], all[1]}, "fp16"), Names{all[1]});
  EXPECT_EQ(chosen_of({all[4]}, "fp16"), Names{all[4]});
  EXPECT_EQ(chosen_of({all[1], all[2]}), Names{all[2]});
}

TEST(NeededFiles, ShardsComeWithTheirIndex) {
  const Names plain = {"unet/diffusion_pytorch_model-00001-of-00002.safetensors",
                       "unet/diffusion_pytorch_model-00002-of-00002.safetensors",
                       "unet/diffusion_pytorch_model.safetensors.index.json"};
  const Names half = {"unet/diffusion_pytorch_model-00001-of-00002.fp16.safetensors",
                      "unet/diffusion_pytorch_model-00002-of-00002.fp16.safetensors",
                      "unet/diffusion_pytorch_model.safetensors.index.fp16.json"};
  const Names later = {"unet/diffusion_pytorch_model.fp16-00001-of-00001.safetensors",
                       "unet/diffusion_pytorch_model.fp16.safetensors.index.json"};
  EXPECT_EQ(chosen_of(with_weights(plain, half)), plain);
  EXPECT_EQ(chosen_of(with_weights(plain, half), "fp16"), half);
  EXPECT_EQ(chosen_of(with_weights(plain, later), "fp16"), later);
}

TEST(NeededFiles, ARepositoryWithoutAnIndexIsOneNetwork) {
  const Names all = {"README.md", "config.json", "diffusion_pytorch_model.bin", "diffusion_pytorch_model.safetensors",
                     "taesd_decoder.safetensors"};
  EXPECT_EQ(needed_files(all, nullptr, ""), (Names{"config.json", "diffusion_pytorch_model.safetensors"}));
}

TEST(NeededFiles, WhatHasNoWeightsInAKnownLayoutIsAnErrorThatListsTheFiles) {
  const std::string message = message_of<ConfigError>([] { needed_files({"README.md", "v1-5.ckpt"}, nullptr, ""); });
  EXPECT_NE(message.find("v1-5.ckpt"), std::string::npos) << message;
  EXPECT_NE(message.find("--file"), std::string::npos) << message;
  EXPECT_NE(message_of<ConfigError>([] { chosen_of({}); }).find("'unet'"), std::string::npos);
}

}  // namespace domainfusion
