#pragma once
// A model with what was added to it when it was opened: another VAE, LoRAs. Kernels and memory are as without, since
// what is read is the sum.

#include <memory>

#include "domainfusion/diffusion/adapted/lora_file.h"
#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

// `source` with the LoRAs and the VAE that the options name, or itself. FormatError, ShapeError, IoError that name the
// file: LoRAs are read and their shapes held against the weights at once.
std::shared_ptr<const ModelSource> adapted(std::shared_ptr<const ModelSource> source, const LdmOptions& options);

// "style.safetensors:0.6": a file and the scale behind its last colon, 1 where none stands there. ConfigError for a
// scale that is not finite or no number.
LoraChoice lora_choice(const std::string& word);
std::vector<LoraChoice> lora_choices(const std::vector<std::string>& words);

}  // namespace domainfusion
