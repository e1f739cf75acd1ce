#include "domainfusion/cli/ldm_arguments.h"

#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/distributed/device_of_rank.h"

namespace domainfusion {

void add_device_option(Command& command, std::string& device) {
  command.option("--device", device, "auto, cpu, cuda or cuda:N").default_shown();
}

void add_placement_options(Command& command, std::string& device, std::string& dtype) {
  add_device_option(command, device);
  command.option("--dtype", dtype, "type in which the networks compute: float32, bfloat16 or float16 (GPU only)")
      .default_shown();
}

void add_lora_option(Command& command, std::vector<std::string>& loras) {
  command.option("--lora", loras, "LoRA to merge into the model, FILE or FILE:SCALE; may be given often");
}

void add_vae_option(Command& command, std::string& vae) {
  command.option("--vae", vae, "folder of a VAE in place of the model's own, TAESD's too");
}

void LdmArguments::add_to(Command& command) {
  command.option("--ldm", ldm, "latent diffusion model: folder, CompVis file, or name of a fetched one (\"sd-turbo\")")
      .required();
  command.option("--tokenizer", tokenizer, "tokenizer folder, for a CompVis file, which has none");
  command.option("--prediction-type", prediction_type, "epsilon, v_prediction or sample; default: as the files say");
  add_lora_option(command, loras);
  add_vae_option(command, vae);
  add_placement_options(command, device, dtype);
}

LdmOptions LdmArguments::options() const {
  LdmOptions options{.tokenizer = tokenizer,
                     .prediction_type = prediction_type,
                     .loras = lora_choices(loras),
                     .vae = vae,
                     .placement = placement_of(device, dtype)};
  options.placement.device = device_of_rank(device);
  return options;
}

}  // namespace domainfusion
