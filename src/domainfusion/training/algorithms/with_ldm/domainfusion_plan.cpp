#include "domainfusion/training/algorithms/with_ldm/domainfusion_plan.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/distillation/teachers/distillation_teacher.h"
#include "domainfusion/distillation/teachers/premise.h"

namespace domainfusion {
namespace {

// A model of which only the options are asked.
LdmFunctions without_weights(std::int64_t timesteps, at::Device device) {
  LdmFunctions ldm;
  ldm.device = device;
  ldm.embed = [](const std::vector<std::string>& prompts) {
    return torch::zeros({static_cast<std::int64_t>(prompts.size()), 1, 1});
  };
  ldm.alphas_cumprod = torch::ones({timesteps}, torch::kFloat64);
  return ldm;
}

PlannedWork work_of_rounds(const DomainFusionOptions& options, const WorkSizes& sizes) {
  const auto steps = round_steps(options.augmentation.budget, sizes.steps_per_epoch, sizes.steps);
  if (steps.empty()) return {};
  const RoundPlan plan(options.augmentation.budget, sizes.in_images, sizes.sources, options.augmentation.candidates,
                       static_cast<std::int64_t>(steps.size()));
  PlannedWork work;
  work.generated_images = plan.images_of_run() * plan.candidates();
  const auto generated = static_cast<double>(work.generated_images);
  work.unet_images = work.generation_unet_images =
      generated * static_cast<double>(unet_passes(sizes.ldm_scheduler, options.augmentation.request()));
  work.vae_images = work.generation_vae_images = 2 * generated;
  work.vae_batch = plan.candidates() * std::min(options.augmentation.batch_images, plan.count(0));
  work.unet_batch = work.vae_batch * rows_per_image(options.augmentation.request().guidance_scale);
  // The search for styles passes each image and its gradient through a classifier.
  if (options.augmentation.combination.rule == CombineRule::kMode) {
    work.classifier_images =
        3.0 * static_cast<double>(plan.images_of_run() * options.augmentation.combination.search.move_steps);
  }
  if (options.domainfusion.lambda_syn > 0) {
    const std::int64_t batch =
        options.domainfusion.synthetic_batches.size(sizes.batch_size, plan.images_of_run(), sizes.in_images);
    work.classifier_images += 3.0 * static_cast<double>(sizes.sources * batch * (sizes.steps - steps[0]));
  }
  work.stored_images = plan.images_of_run();
  return work;
}

PlannedWork work_of_distillation(const DomainFusionOptions& options, const WorkSizes& sizes) {
  const std::vector<std::string> classes(static_cast<std::size_t>(sizes.classes), "class");
  const auto teacher =
      distillation_teachers().make(options.distillation.teacher, options.distillation,
                                   without_weights(options.distillation.t_max + 1, sizes.device), classes, nullptr, 0);
  const bool both =
      options.domainfusion.online_augmentation && options.distillation.images == DistilledImages::kRawAndSynthetic;
  const auto batch = static_cast<double>(sizes.batch_size * sizes.sources * (both ? 2 : 1));
  const double drawn = batch * teacher->fraction() * static_cast<double>(sizes.steps);
  const auto images = static_cast<double>(sizes.in_images);
  const TeacherCost cost = teacher->cost();
  PlannedWork work;
  work.unet_images = drawn * cost.unet_per_drawn + cost.unet_of_gate;
  // An image is encoded for its curve when it is drawn for the first time.
  work.vae_images =
      drawn * cost.encoder_per_drawn + std::min(images, drawn) * cost.encoder_per_image + cost.encoder_of_gate;
  work.kept_latents = images * cost.latents_per_image;
  work.kept_latents_mib = options.distillation.curve.limit_mb;
  const double drawn_in_step = std::ceil(batch * teacher->fraction());
  const auto together = static_cast<double>(options.distillation.images_per_pass);
  work.unet_batch = std::llround(
      std::min(drawn_in_step * cost.unet_per_drawn, together * rows_per_image(options.distillation.guidance)));
  work.vae_batch = std::llround(std::max(std::min(drawn_in_step, together) * cost.encoder_per_drawn,
                                         cost.encoder_of_gate > 0 ? 3.0 * std::size(kGateConfidences) : 0));
  return work;
}

PlannedWork work_of_premise(const DistillationConfig& config, const WorkSizes& sizes) {
  const std::int64_t confidences = std::size(kPremiseGateConfidences);
  const auto points =
      static_cast<double>(std::min(kPremiseGateImages, sizes.in_images) * kPremiseGateDraws * confidences);
  PlannedWork work;
  work.unet_images =
      points * static_cast<double>(rows_per_image(config.guidance)) * (config.jacobian == UnetJacobian::kFull ? 3 : 1);
  work.vae_images = 3 * points;
  work.unet_batch = confidences * rows_per_image(config.guidance);
  work.vae_batch = 3 * confidences;
  return work;
}

}  // namespace

PlannedWork planned_work_of(const DomainFusionOptions& options, const WorkSizes& sizes) {
  PlannedWork work;
  if (options.domainfusion.online_augmentation) work += work_of_rounds(options, sizes);
  if (options.domainfusion.latent_distillation != AutoSwitch::kOff) work += work_of_distillation(options, sizes);
  if (options.domainfusion.latent_distillation == AutoSwitch::kAuto && asks_for_premise(options.distillation))
    work += work_of_premise(options.distillation, sizes);
  return work;
}

}  // namespace domainfusion
