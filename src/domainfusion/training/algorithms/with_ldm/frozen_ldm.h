#pragma once
// The frozen latent diffusion model of an algorithm: loaded, held against the held-out domain, and the same after a
// resume.

#include <nlohmann/json.hpp>

#include "domainfusion/augmentation/candidates/generation_time.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/guards/guarded_ldm.h"

namespace domainfusion {

// The model that the run's options name; writes a record "ldm" of its weights and of what it was trained on.
// ConfigError: none is named, or it saw the target; what LatentDiffusion::load throws.
LatentDiffusion load_frozen_ldm(TrainingContext& context);

// Words for the source domains in prompts; where they are not the descriptions, a log line and a record say so.
SourceDescriptions told_descriptions(TrainingContext& context);

// The model's hash in a checkpoint, and on resume: ConfigError if it is another one now.
void save_ldm(const LatentDiffusion& ldm, nlohmann::json& state);
void check_same_ldm(const LatentDiffusion& ldm, const TrainingContext& context, const nlohmann::json& state);

// image01_N3HW as squares of size_px: bilinear, antialiased, differentiable; the images themselves where they have that
// size.
at::Tensor resized01(const at::Tensor& image01_N3HW, std::int64_t size_px);

}  // namespace domainfusion
