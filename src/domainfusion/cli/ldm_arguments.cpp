#include "domainfusion/cli/ldm_arguments.h"

#include <CLI/CLI.hpp>

namespace domainfusion {

void add_device_option(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "auto, cpu, cuda or cuda:N")->capture_default_str()->take_last();
}

void add_placement_options(CLI::App& command, std::string& device, std::string& dtype) {
  add_device_option(command, device);
  command.add_option("--dtype", dtype, "type in which the networks compute: float32, bfloat16 or float16 (GPU only)")
      ->capture_default_str()
      ->take_last();
}

void LdmArguments::add_to(CLI::App& command) {
  command.add_option("--ldm", ldm, "latent diffusion model: folder or CompVis file")->required()->take_last();
  command.add_option("--tokenizer", tokenizer, "tokenizer folder, for a CompVis file, which has none")->take_last();
  command
      .add_option("--prediction-type", prediction_type, "epsilon, v_prediction or sample; default: as the files say")
      ->take_last();
  add_placement_options(command, device, dtype);
}

LdmOptions LdmArguments::options() const {
  return {.tokenizer = tokenizer, .prediction_type = prediction_type, .placement = placement_of(device, dtype)};
}

}  // namespace domainfusion
