#pragma once
// A compact LDM as a diffusers folder: configs, weights, and what it has seen.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"

namespace domainfusion {

// The noise schedule of Stable Diffusion with v-prediction, as scheduler_config.json.
nlohmann::json compact_scheduler_config();

// Each writes one part below `folder`, every file atomically; `half`: weights as float16. IoError.
void write_vae(const std::filesystem::path& folder, AutoencoderKl& vae, const AutoencoderConfig& config, bool half);
void write_unet(const std::filesystem::path& folder, UNet2dCondition& unet, bool half);
void write_text_encoder(const std::filesystem::path& folder, ClipTextEncoder& encoder, bool half);
// scheduler_config.json, model_index.json, and `provenance` as domainfusion.json.
void write_folder_index(const std::filesystem::path& folder, const nlohmann::json& provenance);

// Whether the training that domainfusion.json of `folder` tells of has come to its end.
bool is_finished_ldm(const std::filesystem::path& folder);
// To be called once it has: removes the checkpoints, also those that a kill just before this call left.
void remove_ldm_checkpoints(const std::filesystem::path& folder);

}  // namespace domainfusion
