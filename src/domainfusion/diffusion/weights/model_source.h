#pragma once
// Where a latent diffusion model comes from: a diffusers folder, a hub cache, or one file in CompVis' layout.

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

enum class LdmPart { kVae, kUnet, kTextEncoder, kTextEncoder2 };  // the last of SDXL alone

std::string folder_of(LdmPart part);  // "vae", "unet", "text_encoder", "text_encoder_2"

// A LoRA file (see adapted/lora_file.h) and how much of it is added.
struct LoraChoice {
  std::filesystem::path path;  // a file, or a folder that holds one under a known name
  double scale = 1;
  bool decides_size = false;  // the model makes images of the size that the LoRA was finetuned at
};

// As finetuning writes it, beside domainfusion.json.
inline constexpr const char* kLoraFile = "lora.safetensors";

struct LdmOptions {
  // A folder with vocab.json and merges.txt, or tokenizer.json, for files that hold no tokenizer; where given, it also
  // replaces a folder's own.
  std::filesystem::path tokenizer;
  // "epsilon", "v_prediction" or "sample"; empty: what the model's files say (for a CompVis file see compvis_config.h).
  std::string prediction_type;
  // Merged into the weights when they are loaded, in this order.
  std::vector<LoraChoice> loras = {};
  // A VAE in place of the model's own: a diffusers folder of an AutoencoderKL or AutoencoderTiny (or a model's, for its
  // vae/), or one with the two files of TAESD; empty: its own.
  std::filesystem::path vae = {};
  // For use without gradients: a weight that was re-packed for the kernels is not held a second time. A gradient still
  // works, and takes the memory back.
  bool hold_weights_once = false;
  // Where the networks compute, and in which type; whatever the files hold is converted.
  Placement placement;
};

// Content that a model was read from, for its hash: a file, or text that stands for one.
struct LdmFile {
  std::string name;            // "unet/config.json", wherever it lies
  std::filesystem::path path;  // empty: `text`
  std::string text;
};

// Nothing is read before it is asked for but file names and, of a CompVis file, its list of tensors. All functions
// throw IoError, FormatError or ConfigError, which name the file.
class ModelSource {
 public:
  virtual ~ModelSource() = default;

  virtual std::vector<LdmPart> parts() const { return {LdmPart::kVae, LdmPart::kUnet, LdmPart::kTextEncoder}; }
  virtual nlohmann::json config(LdmPart part) const = 0;  // as in diffusers' config.json
  // By diffusers' names, in the file's dtype; mapped where possible.
  virtual TensorMap weights(LdmPart part) const = 0;
  virtual std::string subject(LdmPart part) const = 0;  // for messages
  virtual nlohmann::json scheduler_config() const = 0;
  virtual std::filesystem::path tokenizer_folder() const = 0;
  // Of the second text encoder; empty: it reads as the first, padding with "!".
  virtual std::filesystem::path second_tokenizer_folder() const { return {}; }
  // Whether an empty negative prompt is zeros in place of the empty text (SDXL's force_zeros_for_empty_prompt).
  virtual bool zeros_for_empty_prompt() const { return false; }
  virtual nlohmann::json provenance() const { return nullptr; }
  virtual std::vector<LdmFile> files() const = 0;
};

// `path`: a diffusers folder (unet/, …), a folder of the hub's cache (models--…), or a file in CompVis' layout, for
// which options.tokenizer is needed; or a name for located_weights(), "sd-turbo" say. IoError, FormatError,
// ConfigError.
std::unique_ptr<ModelSource> open_model(const std::filesystem::path& path, const LdmOptions& options = {});

// The model that the LoRA in `folder`, which finetuning wrote, was trained on: as its domainfusion.json says, or beside
// `folder` under the same name. Empty where `folder` is no such folder. IoError where the base is in neither place;
// FormatError.
std::filesystem::path base_of_lora_folder(const std::filesystem::path& folder);

// The files of a tokenizer folder that are there and that its tokens depend on, under their names in the folder `name`
// of a diffusers folder.
std::vector<LdmFile> tokenizer_files(const std::filesystem::path& folder, const std::string& name = "tokenizer");

}  // namespace domainfusion
