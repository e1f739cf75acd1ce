#pragma once
// Finetunes the U-Net of a latent diffusion model on one domain, so that denoising leads there without a word (DSI's
// way to one translator per source domain).

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/ldm_training/options/ldm_finetuning_config.h"

namespace domainfusion {

struct LdmFinetuningRequest {
  std::string domain;                    // only its IN split is read
  std::vector<std::string> class_words;  // for {class}, one per class; empty: the class names
  std::filesystem::path out;             // exists
  bool resume = false;
  std::function<bool()> should_stop;  // asked before each step; may be empty
  std::function<void()> on_start{};   // called before the first step, once nothing refuses it any more; may be empty
};

// VAE and text encoder of `base` stay as they are; its scheduler_config says what the U-Net predicts. Images are
// encoded once, plain and mirrored, by the mean of the posterior. Weights are trained in float32, products computed in
// base.placement()'s type. Differs from DSI's code: gradients are clipped to norm 1; the latents are means, not
// samples; images are mirrored. Writes into out/ what pretraining writes: a diffusers folder with the weight average as
// its U-Net, and domainfusion.json, which adds this domain and its images to what `base` says of its own training.
// With lora_rank the base's weights stay, and out/ gets lora.safetensors in place of a diffusers folder (low ranks
// beside to_q, to_k, to_v and to_out of every attention): as a model it is opened with its base, which has to stay in
// place. Returns false if it was stopped: a checkpoint is written then. Resuming a finished training does nothing; a
// resumed one gives, at equal thread count, the bits of an uninterrupted one. ConfigError for a smaller dtype on a CPU,
// an unknown domain, a size that the VAE cannot take, a base whose own training is not finished; FormatError,
// ShapeError, IoError.
bool finetune_ldm(const LatentDiffusion& base, const DomainDataset& dataset, const LdmFinetuningConfig& config,
                  const LdmFinetuningRequest& request);

}  // namespace domainfusion
