#include "domainfusion/augmentation/fds/fds_config.h"

namespace domainfusion {

void FdsConfig::describe(ConfigFields& fields) {
  fields.choice("sampler", sampler, mixture_samplers(),
                "what is mixed of two domains: condition (text embeddings), prediction (the U-Net's), trajectories "
                "(latents that went apart for a while; then the condition)");
  fields.real("share_min", share_min, {0, 1}, "least share of the first domain; each image draws its own");
  fields.real("share_max", share_max, {0, 1}, "greatest share of the first domain");
  fields.real("guidance_min", guidance_min, {1, 100}, "least classifier-free guidance; each image draws its own");
  fields.real("guidance_max", guidance_max, {1, 100}, "greatest guidance; 1: none");
  fields.integer("steps", steps, {1, 1000}, "denoising steps");
  fields.text("scheduler", scheduler,
              "sampler: a name of `inspect schedulers`, with or without the spacing of timesteps (euler:trailing), or "
              "auto: the model's own");
  fields.real("apart", apart, {0, 1},
              "of trajectories: share of the steps that the two take before they are mixed (ours)");
  fields.text("prompt_template", prompt_template, "prompt; {class} and {domain}, which it must hold, are filled in");
  fields.text("negative_prompt", negative_prompt, "what guidance leads away from; empty: the empty prompt");
  fields.integer("images_per_class", images_per_class, {1, INT64_C(1) << 24},
                 "images to make of each class and pair of source domains (the paper: 32000; OfficeHome 16000)");
  fields.integer("kept_per_class", kept_per_class, {1, INT64_C(1) << 24},
                 "how many of them are trained on: those that the judge gets right and is least sure of (the paper: "
                 "PACS 570, VLCS 680, OfficeHome 70)");
  fields.integer("seed", seed, {0, INT64_C(1) << 62},
                 "of the generated images; runs of other training seeds find them in a shared store");
  fields.integer("batch_images", batch_images, {1, 4096}, "images that are made together; more needs more memory");
  fields.text("judge", judge,
              "run of ERM with the same held-out domain, split and network, whose model judges the images: its folder, "
              "or a file of weights in it");
}

void FdsConfig::settle(const FewStepKind& kind) {
  const bool few = kind.few_step;
  guidance_min = guidance_min.value_or(few ? kind.guidance_scale : 4);
  guidance_max = guidance_max.value_or(few ? kind.guidance_scale : 6);
  steps = steps.value_or(few ? kind.steps : 50);
  scheduler = scheduler.value_or(few ? kind.scheduler : "ddim");
}

void FdsConfig::check_values() const {
  check<ConfigError>(share_min <= share_max, "fds.share_min = {} is over fds.share_max = {}", share_min, share_max);
  check<ConfigError>(*guidance_min <= *guidance_max, "fds.guidance_min = {} is over fds.guidance_max = {}",
                     *guidance_min, *guidance_max);
  check<ConfigError>(kept_per_class <= images_per_class,
                     "fds.kept_per_class = {} of fds.images_per_class = {}: expected at most as many as are made",
                     kept_per_class, images_per_class);
}

MixtureSampling FdsConfig::sampling() const {
  return {
      .sampler = sampler, .steps = *steps, .apart = apart, .scheduler = *scheduler, .negative_prompt = negative_prompt};
}

}  // namespace domainfusion
