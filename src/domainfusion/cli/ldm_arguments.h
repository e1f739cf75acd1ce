#pragma once
// The options by which commands name a latent diffusion model.

#include <string>

#include "domainfusion/diffusion/weights/model_source.h"

namespace CLI {
class App;
}

namespace domainfusion {

// --device, with what the variable holds as default.
void add_device_option(CLI::App& command, std::string& device);

// --device and --dtype, with what the variables hold as default.
void add_placement_options(CLI::App& command, std::string& device, std::string& dtype);

struct LdmArguments {
  std::string ldm, tokenizer, prediction_type, device = "auto", dtype = "float32";

  // --ldm (required), --tokenizer, --prediction-type, --device, --dtype.
  void add_to(CLI::App& command);
  // ConfigError, DeviceError.
  LdmOptions options() const;
};

}  // namespace domainfusion
