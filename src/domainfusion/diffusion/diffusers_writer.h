#pragma once
// A model as a diffusers folder.

#include <c10/core/ScalarType.h>

#include <filesystem>
#include <optional>

#include "domainfusion/diffusion/latent_diffusion.h"

namespace domainfusion {

// Tensors of floating point in `type`, the others as they are; all as they are without a type.
TensorMap converted(TensorMap tensors, std::optional<at::ScalarType> type);

// Writes model_index.json, the three parts (config.json, safetensors), scheduler and tokenizer of `model` to the new
// folder `folder`, which appears whole or not at all. Every part is loaded once to see that its weights fit its config,
// and released. ConfigError if there is something at `folder`; IoError, FormatError, ShapeError.
void write_diffusers_folder(const std::filesystem::path& folder, const LatentDiffusion& model,
                            std::optional<at::ScalarType> type);

// The same into `folder`, which exists and may hold other files, each file atomically, with `unet` for the U-Net's
// weights, which are for images of `image_size_px`, and `provenance` for domainfusion.json, which is written last.
void write_with_unet(const std::filesystem::path& folder, const LatentDiffusion& model, const TensorMap& unet,
                     std::int64_t image_size_px, const nlohmann::json& provenance);

}  // namespace domainfusion
