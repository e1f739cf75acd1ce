#pragma once
// Which models were distilled to make images in a few steps: SD-Turbo and SDXL-Turbo (Sauer et al. 2023), latent
// consistency models (Luo et al. 2023), SDXL-Lightning (Lin et al. 2024), Hyper-SD (Ren et al. 2024) and their kin.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/diffusion/weights/model_source.h"

namespace domainfusion {

struct FewStepKind {
  bool few_step = false;
  std::string reason;              // what says so, for messages: "its sampler is LCMScheduler"
  std::int64_t steps = 4;          // what it is used with: those of its name, else 4
  double guidance_scale = 1;       // likewise: 8 where the U-Net takes the scale as an input, else 1
  std::string scheduler = "auto";  // see make_scheduler
};

// What the files of `model` (see open_model) and of the LoRAs merged into it say: the class and spacing of its
// scheduler_config.json, and its name (of the folder, of the hub's repository, or of the model it was saved from);
// names and metadata of the LoRAs, which go before. Reads no weights; a file that cannot be read says nothing here,
// since opening the model will.
FewStepKind few_step_kind(const std::filesystem::path& model, const std::vector<LoraChoice>& loras = {});

// By a name alone ("sdxl_lightning_4step.safetensors").
FewStepKind few_step_kind_of_name(const std::string& name);

}  // namespace domainfusion
