#pragma once
// A model in diffusers' layout: one folder per part, each with config.json and weights.

#include <filesystem>

#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

class DiffusersFolder : public ModelSource {
 public:
  DiffusersFolder(std::filesystem::path folder, LdmOptions options);

  std::vector<LdmPart> parts() const override;
  nlohmann::json config(LdmPart part) const override;
  TensorMap weights(LdmPart part) const override;
  std::string subject(LdmPart part) const override;
  nlohmann::json scheduler_config() const override;
  std::filesystem::path tokenizer_folder() const override;
  std::filesystem::path second_tokenizer_folder() const override;
  bool zeros_for_empty_prompt() const override;
  nlohmann::json provenance() const override;  // domainfusion.json, or null
  std::vector<LdmFile> files() const override;

 private:
  std::filesystem::path folder_;
  LdmOptions options_;
};

// Whether `folder` has all that a model in this layout needs; the files' content is not looked at.
bool is_whole_model(const std::filesystem::path& folder);

// The weights of a part's folder: the first that is there of stem.safetensors, stem.fp16.safetensors, the index of
// sharded ones (stem.safetensors.index.json), and the same of .bin. Stems are diffusion_pytorch_model; for text
// encoders model, pytorch_model. IoError that lists what was looked for, or names the
// link among it whose target is gone.
std::filesystem::path part_weights(const std::filesystem::path& folder, LdmPart part);

}  // namespace domainfusion
