#pragma once
// Whether a latent diffusion model may be used in a run: what it was trained on, against what the run must not see.

#include <cstdint>

#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/training/guards/holdout_guard.h"

namespace domainfusion {

// From the model's own record (diffusion/ldm_provenance.h; models of other makers have none, or one of their finetuning
// alone).
struct LdmProvenanceCheck {
  bool recorded = false;
  std::int64_t out_images = 0;  // validation images of this run's split among the model's training images
};

// ConfigError if the model saw the target, by domain name or by image, or if its training is not finished. Warns if it
// saw OUT images, if it never saw a source domain, and if there is no record.
LdmProvenanceCheck check_ldm_provenance(const LatentDiffusion& ldm, const HoldoutGuard& holdout);

}  // namespace domainfusion
