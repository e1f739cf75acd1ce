#pragma once
// What an algorithm adds to plain training, counted before anything runs.

#include <cstdint>
#include <nlohmann/json.hpp>

#include "domainfusion/augmentation/candidates/generation_time.h"
#include "domainfusion/augmentation/prompts.h"

namespace domainfusion {

// The sizes of a run, of which work is a function.
struct WorkSizes {
  std::int64_t in_images = 0, sources = 0, classes = 0;
  std::int64_t steps = 0, steps_per_epoch = 0;
  std::int64_t batch_size = 0;  // per source domain
  // scheduler_config.json of the LDM's folder; without one, for scheduler = auto: DDIM with diffusers' defaults.
  nlohmann::json ldm_scheduler = {{"_class_name", "DDIMScheduler"}};
  at::Device device = at::kCPU;
  TargetGuard guard = {};  // of the run: it decides which styles of a list are used
};

// Images that pass through a network; a pass with its gradient counts as three.
struct PlannedWork {
  std::int64_t generated_images = 0;  // denoised by the LDM; every candidate counts
  double unet_images = 0;
  double vae_images = 0;                                         // encoded or decoded
  double generation_unet_images = 0, generation_vae_images = 0;  // of these two, what makes generated_images
  double classifier_images = 0;                                  // beyond the raw batches' own training
  std::int64_t stored_images = 0;                                // at the LDM's size, that stay on the disk
  // The most that pass at once.
  std::int64_t unet_batch = 0;
  std::int64_t vae_batch = 0;
  double kept_latents = 0;            // of one image each, float32, for the whole run: the curves of distillation
  std::int64_t kept_latents_mib = 0;  // the most that they may take; a run that needs more is refused

  PlannedWork& operator+=(const PlannedWork& more);
};

// Of the LDM alone.
double ldm_seconds(const PlannedWork& work, const GenerationTimes& times);
// Of that, making the images to generate, which any number of processes can share.
double generation_seconds(const PlannedWork& work, const GenerationTimes& times);

}  // namespace domainfusion
