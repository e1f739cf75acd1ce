#pragma once
// A whole model in one weights file of CompVis' layout (.safetensors, .ckpt): Stable Diffusion 1.x, 2.x and XL.

#include <filesystem>

#include "domainfusion/diffusion/weights/compvis_config.h"
#include "domainfusion/diffusion/weights/compvis_names.h"
#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

class CompvisFile : public ModelSource {
 public:
  // Reads the list of tensors; those of unknown names are left out, which a warning says. ConfigError without
  // options.tokenizer.
  CompvisFile(const std::filesystem::path& path, LdmOptions options);

  std::vector<LdmPart> parts() const override { return names_.parts(); }
  nlohmann::json config(LdmPart part) const override;
  TensorMap weights(LdmPart part) const override;
  std::string subject(LdmPart part) const override;
  nlohmann::json scheduler_config() const override { return config_.scheduler(); }
  std::filesystem::path tokenizer_folder() const override { return options_.tokenizer; }
  bool zeros_for_empty_prompt() const override { return names_.is_xl(); }
  std::vector<LdmFile> files() const override;

 private:
  std::filesystem::path path_;
  LdmOptions options_;
  WeightsFile file_;
  CompvisNames names_;
  CompvisConfig config_;
};

// Name and shape of every tensor.
TensorShapes shapes_of(const WeightsFile& file);

}  // namespace domainfusion
