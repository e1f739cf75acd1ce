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

enum class LdmPart { kVae, kUnet, kTextEncoder };

std::string folder_of(LdmPart part);  // "vae", "unet", "text_encoder"

// A LoRA file (see adapted/lora_file.h) and how much of it is added.
struct LoraChoice {
  std::filesystem::path path;
  double scale = 1;
};

struct LdmOptions {
  // A folder with vocab.json and merges.txt, or tokenizer.json, for files that hold no tokenizer; where given, it also
  // replaces a folder's own.
  std::filesystem::path tokenizer;
  // "epsilon", "v_prediction" or "sample"; empty: what the model's files say (for a CompVis file see compvis_config.h).
  std::string prediction_type;
  // Merged into the weights when they are loaded, in this order.
  std::vector<LoraChoice> loras = {};
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
  virtual nlohmann::json provenance() const { return nullptr; }
  virtual std::vector<LdmFile> files() const = 0;
};

// `path`: a diffusers folder (unet/, …), a folder of the hub's cache (models--…), or a file in CompVis' layout, for
// which options.tokenizer is needed; or a name for located_weights(), "sd-turbo" say. IoError, FormatError,
// ConfigError.
std::unique_ptr<ModelSource> open_model(const std::filesystem::path& path, const LdmOptions& options = {});

// The files of a tokenizer folder that are there and that its tokens depend on, under their names in a diffusers
// folder.
std::vector<LdmFile> tokenizer_files(const std::filesystem::path& folder);

}  // namespace domainfusion
