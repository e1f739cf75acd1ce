#pragma once
// A VAE of its own folder, as it is published beside the models: diffusers' layout, or the two files of TAESD.

#include <filesystem>

#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

class VaeFolder {
 public:
  // `folder`: config.json and weights (AutoencoderKL, AutoencoderTiny); a model's folder, for its vae/; a folder of the
  // hub's cache; or a folder with NAME_encoder and NAME_decoder, .safetensors, .pth or .pt, of which taesd stands
  // before taesdxl, and for a model of SDXL behind it. IoError that lists what was looked for.
  VaeFolder(const std::filesystem::path& folder, bool for_xl);

  nlohmann::json config() const;  // as in diffusers' config.json
  TensorMap weights() const;      // by diffusers' names
  std::string subject() const { return folder_.string(); }
  std::vector<LdmFile> files() const;  // named as in a model's folder, "vae/…"

 private:
  std::filesystem::path folder_, encoder_, decoder_;  // the last two: of TAESD's layout
};

// The config.json of TAESD's two files, by the shapes of their tensors. FormatError for tensors of another network.
nlohmann::json config_of_taesd(const TensorMap& encoder, const TensorMap& decoder);

}  // namespace domainfusion
