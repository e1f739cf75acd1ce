#pragma once
// The options by which commands name a latent diffusion model.

#include <string>

#include "domainfusion/cli/command.h"
#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

// --device, with what the variable holds as default.
void add_device_option(Command& command, std::string& device);

// --device and --dtype, with what the variables hold as default.
void add_placement_options(Command& command, std::string& device, std::string& dtype);

struct LdmArguments {
  std::string ldm, tokenizer, prediction_type, device = "auto", dtype = "float32";

  // --ldm (required), --tokenizer, --prediction-type, --device, --dtype.
  void add_to(Command& command);
  // ConfigError, DeviceError.
  LdmOptions options() const;
};

}  // namespace domainfusion
