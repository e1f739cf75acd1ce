#include "domainfusion/training/guards/ldm_guard.h"

#include <string>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/diffusion/ldm_provenance.h"

namespace domainfusion {

LdmProvenanceCheck check_ldm_provenance(const LatentDiffusion& ldm, const HoldoutGuard& holdout) {
  const LdmProvenance record = ldm_provenance(ldm);
  const std::string folder = ldm.folder().string();
  if (!record.recorded || !record.base_recorded) {
    log_info("LDM '{}' does not say what {} was trained on: that it never saw '{}' cannot be checked", folder,
             record.recorded ? "the model that it was finetuned from" : "it", holdout.target_name());
  }
  if (!record.recorded) return {};
  for (const std::string& name : holdout.held_out_names()) {
    check<ConfigError>(!record.domains.contains(name),
                       "LDM '{}' was trained on the test domain '{}': train one on the source domains only", folder,
                       name);
  }
  const std::int64_t target_images = holdout.target_images_among(record.image_hashes);
  check<ConfigError>(target_images == 0,
                     "LDM '{}' was trained on {} images of the test domain '{}': train one on the source domains only",
                     folder, target_images, fmt::join(holdout.held_out_names(), "', '"));
  const std::int64_t out_images = holdout.out_images_among(record.image_hashes);
  if (out_images > 0) {
    log_warning(
        "LDM '{}' was trained on {} images that validate this run (another trial_seed of the split?): source "
        "validation accuracy may be too high",
        folder, out_images);
  }
  if (record.base_recorded) {
    for (const std::string& name : holdout.source_names()) {
      if (!record.domains.contains(name)) log_warning("LDM '{}' never saw the source domain '{}'", folder, name);
    }
  }
  return {record.base_recorded, out_images};
}

}  // namespace domainfusion
