#pragma once
// The options by which commands name a latent diffusion model.

#include <string>
#include <vector>

#include "domainfusion/cli/command.h"
#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

// --device, with what the variable holds as default.
void add_device_option(Command& command, std::string& device);

// --lora, which may be given often; see lora_choices.
void add_lora_option(Command& command, std::vector<std::string>& loras);

// --vae, the folder of another VAE.
void add_vae_option(Command& command, std::string& vae);

// --device and --dtype, with what the variables hold as default.
void add_placement_options(Command& command, std::string& device, std::string& dtype);

struct LdmArguments {
  std::string ldm, tokenizer, prediction_type, vae, device = "auto", dtype = "float32";
  std::vector<std::string> loras;

  // --ldm (required), --tokenizer, --prediction-type, --lora, --vae, --device, --dtype.
  void add_to(Command& command);
  // ConfigError, DeviceError.
  LdmOptions options() const;
};

}  // namespace domainfusion
