#pragma once
// Configurations of models in CompVis' layout, which carry none: sizes from the shapes of the tensors, the rest as in
// Stable Diffusion 1.x, 2.x and XL (the yaml files beside their checkpoints).

#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/diffusion/weights/compvis_names.h"
#include "domainfusion/io/formats/stored_tensor.h"

namespace domainfusion {

// What the shapes do not say:
//   heads        U-Net 1.x: 8 at every level; 2.x (OpenCLIP) and XL: 64 channels each. Text encoders: 64 channels each.
//   groups       32, or where that does not divide every number of channels, the greatest common divisor.
//   prediction   1.x: epsilon at 512 px. XL: epsilon at 1024 px. 2.x: as diffusers' conversion decides, epsilon at 512
//   px if the checkpoint states
//                global_step 875000 (2.0-base), else v_prediction at 768 px. `prediction_type`, where not empty,
//                overrides it, and with it the size: name it for files of 2.1-base, and of 2.0-base without
//                global_step.
class CompvisConfig {
 public:
  // FormatError that names the tensor that is missing or mis-shaped.
  CompvisConfig(const TensorShapes& shapes, const CompvisNames& names, const TensorMetadata& metadata,
                const std::string& prediction_type);

  // As in the config.json of the part's folder, and scheduler_config.json.
  const nlohmann::json& vae() const { return vae_; }
  const nlohmann::json& unet() const { return unet_; }
  const nlohmann::json& text_encoder() const { return text_encoder_; }
  const nlohmann::json& second_text_encoder() const { return second_text_encoder_; }  // of XL
  const nlohmann::json& scheduler() const { return scheduler_; }

 private:
  nlohmann::json vae_, unet_, text_encoder_, second_text_encoder_, scheduler_;
};

}  // namespace domainfusion
