#include "domainfusion/augmentation/rounds/round_config.h"

#include <fmt/ranges.h>

namespace domainfusion {

void RoundConfig::describe(ConfigFields& fields) {
  budget.describe(fields);
  fields.integer("candidates", candidates, {1, 64}, "images that the diffusion model makes of each covered image (N)");
  fields.choice(
      "mode", mode, generation_modes(),
      "how candidates start: from noised latents, or from the image's DDIM inversion, where candidates of equal "
      "prompts are equal");
  describe_preset(fields);
  fields.real("strength", strength, {0.001, 1}, "share of the noise schedule that a candidate goes back");
  fields.integer("steps", steps, {1, 1000},
                 "denoising steps of the whole schedule; the last strength * steps are taken");
  fields.real("guidance_scale", guidance_scale, {1, 100}, "classifier-free guidance; 1: none");
  fields.text(
      "scheduler", scheduler,
      "sampler: a name of `inspect schedulers`, with or without the spacing of timesteps (euler:trailing), or auto: "
      "the model's own");
  fields.text("prompt_template", prompt_template,
              "prompt of a candidate; {class} and {domain} are filled in; empty: the empty prompt");
  fields.text("negative_prompt", negative_prompt, "what guidance leads away from; empty: the empty prompt");
  styles.describe(fields);
  fields.choice(
      "style_mix", style_mix,
      std::vector<std::pair<std::string, StyleMix>>{{"styles", StyleMix::kStyles}, {"both", StyleMix::kBoth}},
      "where the candidates of an image go if there are styles: each to another of these, drawn for the image; or to a "
      "draw from other source domains and styles together, then to its own domain");
  fields.text("decomposition", decomposition,
              fmt::format("how style and content are split: {}", fmt::join(decompositions().names(), " | ")));
  combination.describe(fields);
  decomposition_options.describe(fields);
  selection.describe(fields);
  fields.choice("reference", reference,
                std::vector<std::pair<std::string, StyleReference>>{{"current", StyleReference::kCurrent},
                                                                    {"raw", StyleReference::kRaw}},
                "what candidates are compared with: the image that they were made from, or the raw image");
  fields.choice("detail", detail, {{"decoded", Detail::kDecoded}, {"restored", Detail::kRestored}},
                "decoded: images as the VAE gives them; restored: plus what it loses of the image that they were made "
                "from, so that its "
                "blur is no change of style");
  fields.integer("seed", seed, {-1, INT64_C(1) << 62},
                 "of the order of images and the noise of candidates; -1: the run's own. Runs of one such seed, LDM "
                 "and options make "
                 "equal images whatever their training seed, and find them in a shared candidate store");
  fields.integer("batch_images", batch_images, {1, 4096},
                 "images whose candidates are made together; more needs more memory");
  fields.integer("picture_rows", picture_rows, {0, 1000},
                 "images of each round whose candidates are kept for picture grids");
}

// Inversion is DDIM's, whatever the model.
void RoundConfig::settle(const FewStepKind& kind) {
  if (mode == GenerationMode::kInversion) scheduler = scheduler.value_or("ddim");
  SamplingOptions::settle(full_sampling(), kind);
}

ImageToImageRequest RoundConfig::request() const {
  ImageToImageRequest request = request_of(sampling(full_sampling()));
  request.negative_prompt = negative_prompt;
  request.mode = mode;
  return request;
}

}  // namespace domainfusion
