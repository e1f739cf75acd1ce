#include "domainfusion/diffusion/generation/generate_config.h"

namespace domainfusion {

void GenerateConfig::describe(ConfigFields& fields) {
  fields.text("prompt", prompt, "what the new images show; {folder} is the name of the image's folder");
  fields.text("negative_prompt", negative_prompt, "what guidance leads away from; empty: the empty prompt");
  fields.choice("mode", mode, generation_modes(),
                "img2img: add noise, denoise; inversion: find the image's noise by DDIM, denoise");
  fields.text("inversion_prompt", inversion_prompt,
              "what the images show before: inversion runs under it; {folder} as in prompt");
  describe_preset(fields);
  fields.real("strength", strength, {0, 1},
              "share of the noise schedule that an image goes back; 0: the VAE's round trip, 1: all the way");
  fields.integer("steps", steps, {1, 1000},
                 "denoising steps of the whole schedule; the last strength * steps are taken");
  fields.real("guidance_scale", guidance_scale, {0, 1000}, "classifier-free guidance; up to 1: none");
  fields.text(
      "scheduler", scheduler,
      "sampler: a name of `inspect schedulers`, with or without the spacing of timesteps (euler:trailing); auto: the "
      "model's own");
  fields.real("eta", eta, {0, 1}, "noise of ddim's steps; 0: none, 1: as much as ddpm's");
  fields.integer("seed", seed, {0},
                 "of all noise; the noise of an image depends on it and on the image's content alone");
  fields.integer(
      "size_px", size_px, {0, 8192},
      "width and height of the new images; 0: each image's own, rounded down to a multiple of the VAE's factor");
  fields.choice("alpha", alpha, alpha_names(),
                "transparent pictures: the colours under transparent pixels show, or white does");
  fields.integer("batch_size", batch_size, {1, 4096},
                 "images of one size that are made together; more needs more memory");
  fields.integer(
      "vae_tile_px", vae_tile_px, {0, 8192},
      "larger images pass the VAE in overlapping tiles of this size: less memory, slightly other images; 0: whole");
}

// Inversion is DDIM's, whatever the model.
void GenerateConfig::settle(const FewStepKind& kind) {
  if (mode == GenerationMode::kInversion) scheduler = scheduler.value_or("ddim");
  SamplingOptions::settle(full_sampling(), kind);
}

ImageToImageRequest GenerateConfig::request() const {
  ImageToImageRequest request = request_of(sampling(full_sampling()));
  request.negative_prompt = negative_prompt;
  request.mode = mode;
  request.eta = eta;
  return request;
}

}  // namespace domainfusion
