#include "domainfusion/ldm_training/ldm_folder.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

void write_part(const fs::path& folder, const char* weights_name, torch::nn::Module& module,
                const nlohmann::json& config, bool half) {
  fs::create_directories(folder);
  TensorMap weights = state_dict_of(module);
  for (auto& [name, tensor] : weights) tensor = tensor.detach().to(half ? torch::kFloat16 : torch::kFloat32);
  save_tensors(folder / weights_name, weights, {{"format", "pt"}});
  write_file_atomically(folder / "config.json", json_text(config, 2) + "\n");
}

}  // namespace

nlohmann::json compact_scheduler_config() {
  return {{"_class_name", "DDIMScheduler"},
          {"num_train_timesteps", 1000},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"prediction_type", "v_prediction"},
          {"clip_sample", false},
          {"set_alpha_to_one", false},
          {"steps_offset", 1},
          {"timestep_spacing", "leading"}};
}

void write_vae(const fs::path& folder, AutoencoderKl& vae, const AutoencoderConfig& config, bool half) {
  write_part(folder / "vae", "diffusion_pytorch_model.safetensors", *vae, config.to_json(), half);
}

void write_unet(const fs::path& folder, UNet2dCondition& unet, bool half) {
  write_part(folder / "unet", "diffusion_pytorch_model.safetensors", *unet, unet->config().to_json(), half);
}

void write_text_encoder(const fs::path& folder, ClipTextEncoder& encoder, bool half) {
  write_part(folder / "text_encoder", "model.safetensors", *encoder, encoder->config().to_json(), half);
}

void write_folder_index(const fs::path& folder, const nlohmann::json& provenance) {
  fs::create_directories(folder / "scheduler");
  write_file_atomically(folder / "scheduler" / "scheduler_config.json",
                        json_text(compact_scheduler_config(), 2) + "\n");
  const auto part = [](const char* library, const char* type) { return nlohmann::json::array({library, type}); };
  const nlohmann::json index{
      {"_class_name", "StableDiffusionPipeline"},           {"vae", part("diffusers", "AutoencoderKL")},
      {"unet", part("diffusers", "UNet2DConditionModel")},  {"text_encoder", part("transformers", "CLIPTextModel")},
      {"tokenizer", part("transformers", "CLIPTokenizer")}, {"scheduler", part("diffusers", "DDIMScheduler")}};
  write_file_atomically(folder / "model_index.json", json_text(index, 2) + "\n");
  write_file_atomically(folder / "domainfusion.json", json_text(provenance, 1) + "\n");
}

bool is_finished_ldm(const fs::path& folder) {
  const fs::path file = folder / "domainfusion.json";
  if (!fs::exists(file)) return false;
  const auto record = try_parse_json(read_file(file)).value_or(nullptr);
  return record.is_object() && record.value("finished", nlohmann::json()) == true;
}

void remove_ldm_checkpoints(const fs::path& folder) { fs::remove_all(folder / "checkpoints"); }

}  // namespace domainfusion
