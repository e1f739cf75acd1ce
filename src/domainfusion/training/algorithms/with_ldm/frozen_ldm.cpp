#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"

#include <torch/nn/functional/upsampling.h>
#include <torch/types.h>

#include "domainfusion/core/log.h"

namespace domainfusion {

LatentDiffusion load_frozen_ldm(TrainingContext& context) {
  LatentDiffusion ldm = load_ldm(context.config, context.device);
  context.write_record(checked_ldm_record(ldm, *context.holdout));
  return ldm;
}

SourceDescriptions told_descriptions(TrainingContext& context) {
  SourceDescriptions descriptions = source_descriptions(*context.source_in, *context.holdout, context.config);
  if (descriptions.bare.empty()) return descriptions;
  log_info("prompts call '{}' by their names: their descriptions share words with the held-out domain's",
           fmt::join(descriptions.bare, "', '"));
  context.write_record(descriptions.record(*context.source_in));
  return descriptions;
}

void save_ldm(const LatentDiffusion& ldm, nlohmann::json& state) { state["ldm"] = ldm.weights_hash(); }

void check_same_ldm(const LatentDiffusion& ldm, const TrainingContext& context, const nlohmann::json& state) {
  const std::string before = state.value("ldm", "");
  check<ConfigError>(
      before == ldm.weights_hash(),
      "--resume: the run was started with another LDM than '{}' (weights {} then, {} now): name that one with --ldm",
      context.config.ldm, before.substr(0, 12), ldm.weights_hash().substr(0, 12));
}

at::Tensor resized01(const at::Tensor& image01_N3HW, std::int64_t size_px) {
  if (image01_N3HW.size(-1) == size_px && image01_N3HW.size(-2) == size_px) return image01_N3HW;
  namespace F = torch::nn::functional;
  return F::interpolate(image01_N3HW, F::InterpolateFuncOptions()
                                          .size(std::vector<std::int64_t>{size_px, size_px})
                                          .mode(torch::kBilinear)
                                          .align_corners(false)
                                          .antialias(true));
}

}  // namespace domainfusion
