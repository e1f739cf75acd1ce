#include "domainfusion/training/algorithms/frozen_ldm.h"

#include <torch/torch.h>

#include <chrono>

#include "domainfusion/training/ldm_guard.h"

namespace domainfusion {

LatentDiffusion load_frozen_ldm(TrainingContext& context) {
  const TrainingConfig& config = context.config;
  check<ConfigError>(
      !config.ldm.empty(),
      "the algorithm {} needs a latent diffusion model: --ldm DIR (a diffusers folder; `domainfusion pretrain` "
      "makes a small one)",
      config.algorithm);
  LatentDiffusion ldm =
      LatentDiffusion::load(config.ldm, {.tokenizer = config.ldm_tokenizer,
                                         .prediction_type = config.ldm_prediction_type,
                                         .placement = placement_of(context.device.str(), config.ldm_dtype)});
  const LdmProvenanceCheck provenance = check_ldm_provenance(ldm, *context.holdout);
  context.write_record({{"type", "ldm"},
                        {"step", 0},
                        {"weights_hash", ldm.weights_hash()},
                        {"provenance_recorded", provenance.recorded},
                        {"out_images_seen", provenance.out_images}});
  return ldm;
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

double seconds_of(const std::function<void()>& action) {
  action();
  const auto start = std::chrono::steady_clock::now();
  action();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace domainfusion
