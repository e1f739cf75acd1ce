#include "domainfusion/augmentation/cdga/cdga_config.h"

namespace domainfusion {

void CdgaConfig::describe(ConfigFields& fields) {
  fields.integer("copies", copies, {1, 1024}, "images of each image towards each domain and style");
  describe_preset(fields);
  fields.real("strength", strength, {0.001, 1}, "share of the noise schedule that an image goes back");
  fields.real("guidance_scale", guidance_scale, {1, 100}, "classifier-free guidance; 1: none");
  fields.integer("steps", steps, {1, 1000},
                 "denoising steps of the whole schedule; the last strength * steps are taken");
  fields.text(
      "scheduler", scheduler,
      "sampler: a name of `inspect schedulers`, with or without the spacing of timesteps (euler:trailing), or auto: "
      "the model's own");
  fields.text("prompt_template", prompt_template,
              "prompt; {class} and {domain}, the other domain or style, are filled in; empty: the empty prompt");
  fields.text("negative_prompt", negative_prompt, "what guidance leads away from; empty: the empty prompt");
  fields.boolean("self_pairs", self_pairs, "also towards an image's own domain");
  fields.texts("towards", towards, "source domains that images are translated to; empty: all of them");
  styles.describe(fields);
  fields.texts(
      "models", models,
      "DOMAIN=FOLDER: the model that translates to a domain, as `finetune` makes one for each (DSI's models, used "
      "offline; with prompt_template = \"\" and guidance_scale = 1); domains not named: the run's LDM");
  fields.integer("seed", seed, {0, INT64_C(1) << 62},
                 "of the generated images; runs of other training seeds find them in a shared store");
  fields.integer("batch_images", batch_images, {1, 4096}, "images that are made together; more needs more memory");
  fields.integer("batch_multiplier", batch_multiplier, {1, 64},
                 "images per training step in units of batch_size: 2 sees as many as DomainFusion's rounds");
}

ImageToImageRequest CdgaConfig::request() const {
  ImageToImageRequest request = request_of(sampling(full_sampling()));
  request.negative_prompt = negative_prompt;
  return request;
}

}  // namespace domainfusion
