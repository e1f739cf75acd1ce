#include "domainfusion/diffusion/weights/diffusers_folder.h"

#include <algorithm>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/io/files/broken_link.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> candidates(LdmPart part) {
  const bool text = part == LdmPart::kTextEncoder || part == LdmPart::kTextEncoder2;
  const std::string safe = text ? "model" : "diffusion_pytorch_model",
                    pickled = text ? "pytorch_model" : "diffusion_pytorch_model";
  return {safe + ".safetensors",
          safe + ".fp16.safetensors",
          safe + ".safetensors.index.json",
          safe + ".safetensors.index.fp16.json",
          pickled + ".bin",
          pickled + ".fp16.bin",
          pickled + ".bin.index.json",
          pickled + ".bin.index.fp16.json"};
}

// What diffusers' Stable Diffusion pipelines set in a scheduler's config whatever it says: latents go beyond [-1, 1],
// so they are not clipped, and "leading" timesteps begin at 1. A field of another type stays, for its reader to refuse.
nlohmann::json as_pipelines_set(nlohmann::json config) {
  const auto replace = [&](const char* key, const nlohmann::json& value, auto is_type) {
    const auto found = config.find(key);
    if (found == config.end() || found->is_null() || is_type(*found)) config[key] = value;
  };
  replace("clip_sample", false, [](const nlohmann::json& v) { return v.is_boolean(); });
  replace("steps_offset", 1, [](const nlohmann::json& v) { return v.is_number_integer(); });
  return config;
}

// Later versions of transformers write a text encoder without the level "text_model." that its names had.
TensorMap with_level_of_texts(TensorMap weights) {
  constexpr std::string_view kLevel = "text_model.";
  if (!weights.contains("embeddings.token_embedding.weight")) return weights;
  TensorMap renamed;
  for (const auto& [name, tensor] : weights) renamed[std::string(kLevel) + name] = tensor;
  return renamed;
}

// A folder of SDXL has two text encoders.
std::vector<LdmPart> parts_of_folder(const fs::path& folder) {
  std::vector<LdmPart> parts{LdmPart::kVae, LdmPart::kUnet, LdmPart::kTextEncoder};
  if (fs::exists(folder / folder_of(LdmPart::kTextEncoder2))) parts.push_back(LdmPart::kTextEncoder2);
  return parts;
}

}  // namespace

fs::path part_weights(const fs::path& folder, LdmPart part) {
  for (const std::string& name : candidates(part)) {
    if (fs::exists(folder / name)) return folder / name;
  }
  for (const std::string& name : candidates(part)) {
    const std::string broken = broken_link(folder / name);
    check<IoError>(broken.empty(), "'{}' is not there{}; fetch the model again", (folder / name).string(), broken);
  }
  throw IoError(
      fmt::format("'{}' holds no weights; looked for {}", folder.string(), fmt::join(candidates(part), ", ")));
}

bool is_whole_model(const fs::path& folder) {
  const auto has_weights = [](const fs::path& below, LdmPart part) {
    const auto names = candidates(part);
    return std::any_of(names.begin(), names.end(), [&](const std::string& name) { return fs::exists(below / name); });
  };
  for (const LdmPart part : parts_of_folder(folder)) {
    const fs::path below = folder / folder_of(part);
    if (!fs::exists(below / "config.json") || !has_weights(below, part)) return false;
  }
  const fs::path tokenizer = folder / "tokenizer";
  return fs::exists(folder / "scheduler/scheduler_config.json") &&
         (fs::exists(tokenizer / "tokenizer.json") ||
          (fs::exists(tokenizer / "vocab.json") && fs::exists(tokenizer / "merges.txt")));
}

DiffusersFolder::DiffusersFolder(fs::path folder, LdmOptions options)
    : folder_(std::move(folder)), options_(std::move(options)) {}

std::string DiffusersFolder::subject(LdmPart part) const { return (folder_ / folder_of(part)).string(); }

nlohmann::json DiffusersFolder::config(LdmPart part) const {
  return read_json_object(folder_ / folder_of(part) / "config.json");
}

TensorMap DiffusersFolder::weights(LdmPart part) const {
  TensorMap weights = load_tensors(part_weights(folder_ / folder_of(part), part));
  switch (part) {
    case LdmPart::kVae:
      return with_current_attention_names(std::move(weights));
    case LdmPart::kTextEncoder:
    case LdmPart::kTextEncoder2:
      return with_level_of_texts(std::move(weights));
    default:
      return weights;
  }
}

std::vector<LdmPart> DiffusersFolder::parts() const { return parts_of_folder(folder_); }

// A tokenizer that is named replaces both.
fs::path DiffusersFolder::second_tokenizer_folder() const {
  const fs::path second = folder_ / "tokenizer_2";
  return options_.tokenizer.empty() && fs::is_directory(second) ? second : fs::path();
}

// As SDXL's pipelines: true where model_index.json does not say otherwise.
bool DiffusersFolder::zeros_for_empty_prompt() const {
  const fs::path index = folder_ / "model_index.json";
  if (parts().size() < 4) return false;
  if (!fs::is_regular_file(index)) return true;
  return read_json_object(index).value("force_zeros_for_empty_prompt", nlohmann::json(true)) != false;
}

nlohmann::json DiffusersFolder::scheduler_config() const {
  nlohmann::json config = as_pipelines_set(read_json_object(folder_ / "scheduler/scheduler_config.json"));
  if (!options_.prediction_type.empty()) config["prediction_type"] = options_.prediction_type;
  return config;
}

fs::path DiffusersFolder::tokenizer_folder() const {
  return options_.tokenizer.empty() ? folder_ / "tokenizer" : options_.tokenizer;
}

nlohmann::json DiffusersFolder::provenance() const {
  return fs::exists(folder_ / "domainfusion.json") ? read_json_object(folder_ / "domainfusion.json") : nlohmann::json();
}

std::vector<LdmFile> DiffusersFolder::files() const {
  const std::string scheduler = "scheduler/scheduler_config.json";
  std::vector<LdmFile> files{{scheduler, folder_ / scheduler, {}}};
  if (!options_.prediction_type.empty()) files.push_back({"prediction_type", {}, options_.prediction_type});
  const nlohmann::json config = read_json_object(folder_ / scheduler), set = as_pipelines_set(config);
  if (set != config) files.push_back({"scheduler as set", {}, json_text(set)});
  for (const LdmPart part : parts()) {
    const std::string name = folder_of(part) + "/";
    files.push_back({name + "config.json", folder_ / name / "config.json", {}});
    const WeightsFile weights = WeightsFile::open(part_weights(folder_ / folder_of(part), part));
    for (const fs::path& path : weights.paths()) {
      files.push_back({name + path.filename().string(), path, {}});
    }
  }
  for (LdmFile& file : tokenizer_files(tokenizer_folder())) files.push_back(std::move(file));
  if (parts().size() < 4) return files;
  if (!second_tokenizer_folder().empty()) {
    for (LdmFile& file : tokenizer_files(second_tokenizer_folder(), "tokenizer_2")) files.push_back(std::move(file));
  }
  files.push_back({"zeros for the empty prompt", {}, zeros_for_empty_prompt() ? "true" : "false"});
  return files;
}

}  // namespace domainfusion
