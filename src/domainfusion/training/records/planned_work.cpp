#include "domainfusion/training/records/planned_work.h"

#include <algorithm>

namespace domainfusion {

PlannedWork& PlannedWork::operator+=(const PlannedWork& more) {
  generated_images += more.generated_images;
  unet_images += more.unet_images;
  vae_images += more.vae_images;
  generation_unet_images += more.generation_unet_images;
  generation_vae_images += more.generation_vae_images;
  classifier_images += more.classifier_images;
  stored_images += more.stored_images;
  unet_batch = std::max(unet_batch, more.unet_batch);
  vae_batch = std::max(vae_batch, more.vae_batch);
  kept_latents += more.kept_latents;
  kept_latents_mib = std::max(kept_latents_mib, more.kept_latents_mib);
  return *this;
}

double ldm_seconds(const PlannedWork& work, const GenerationTimes& times) {
  return work.unet_images * times.unet_seconds + work.vae_images * times.vae_seconds;
}

double generation_seconds(const PlannedWork& work, const GenerationTimes& times) {
  return work.generation_unet_images * times.unet_seconds + work.generation_vae_images * times.vae_seconds;
}

}  // namespace domainfusion
