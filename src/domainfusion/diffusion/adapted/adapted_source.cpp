#include "domainfusion/diffusion/adapted/adapted_source.h"

#include <torch/types.h>

#include <charconv>
#include <cmath>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/adapted/vae_folder.h"
#include "domainfusion/diffusion/unet/unet_config.h"
#include "domainfusion/diffusion/vae/autoencoder_config.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// Everything as the source has it.
class PassedSource : public ModelSource {
 public:
  explicit PassedSource(std::shared_ptr<const ModelSource> source) : source_(std::move(source)) {}
  std::vector<LdmPart> parts() const override { return source_->parts(); }
  nlohmann::json config(LdmPart part) const override { return source_->config(part); }
  TensorMap weights(LdmPart part) const override { return source_->weights(part); }
  std::string subject(LdmPart part) const override { return source_->subject(part); }
  nlohmann::json scheduler_config() const override { return source_->scheduler_config(); }
  fs::path tokenizer_folder() const override { return source_->tokenizer_folder(); }
  fs::path second_tokenizer_folder() const override { return source_->second_tokenizer_folder(); }
  bool zeros_for_empty_prompt() const override { return source_->zeros_for_empty_prompt(); }
  nlohmann::json provenance() const override { return source_->provenance(); }
  std::vector<LdmFile> files() const override { return source_->files(); }

 protected:
  const ModelSource& source() const { return *source_; }

 private:
  std::shared_ptr<const ModelSource> source_;
};

// The file of a folder.
fs::path lora_file(const fs::path& path) {
  if (!fs::is_directory(path)) return path;
  for (const char* name : {kLoraFile, "pytorch_lora_weights.safetensors", "adapter_model.safetensors"}) {
    if (fs::is_regular_file(path / name)) return path / name;
  }
  throw IoError(
      fmt::format("LoRA '{}': the folder holds no {}, pytorch_lora_weights.safetensors or adapter_model.safetensors",
                  path.string(), kLoraFile));
}

// What a model has seen once a LoRA is merged into it: what both have. A LoRA or a model that says nothing of itself
// leaves that part unknown, which base_recorded = false says.
nlohmann::json with_lora_provenance(nlohmann::json model, const fs::path& lora) {
  const fs::path file = lora.parent_path() / "domainfusion.json";
  if (lora.filename() != kLoraFile || !fs::is_regular_file(file)) {
    if (!model.is_null()) model["base_recorded"] = false;
    return model;
  }
  nlohmann::json merged = read_json_object(file);
  if (model.is_null()) {
    merged["base_recorded"] = false;
    return merged;
  }
  for (const char* key : {"domains", "image_hashes", "captions"}) {
    std::set<std::string> both;
    for (const nlohmann::json* record : {&model, &merged}) {
      for (const nlohmann::json& text : record->value(key, nlohmann::json::array())) {
        if (text.is_string()) both.insert(text);
      }
    }
    if (model.contains(key) || merged.contains(key)) merged[key] = both;
  }
  for (const char* key : {"finished", "base_recorded"}) {
    if (model.value(key, nlohmann::json(true)) == false) merged[key] = false;
  }
  return merged;
}

// W + scale * delta for each weight that a LoRA has something for, in the weight's dtype.
class LoraSource : public PassedSource {
 public:
  LoraSource(std::shared_ptr<const ModelSource> source, std::vector<LoraChoice> loras);
  nlohmann::json config(LdmPart part) const override;
  TensorMap weights(LdmPart part) const override;
  std::string subject(LdmPart part) const override;
  nlohmann::json provenance() const override { return provenance_; }
  std::vector<LdmFile> files() const override;

 private:
  std::vector<LoraChoice> loras_;
  nlohmann::json provenance_;
  std::vector<std::map<LdmPart, std::map<std::string, LowRank>>> additions_;  // of each LoRA
};

LoraSource::LoraSource(std::shared_ptr<const ModelSource> source, std::vector<LoraChoice> loras)
    : PassedSource(std::move(source)), loras_(std::move(loras)), provenance_(PassedSource::provenance()) {
  for (LoraChoice& lora : loras_) {
    lora.path = lora_file(lora.path);
    provenance_ = with_lora_provenance(std::move(provenance_), lora.path);
  }
  LoraTargets targets;
  std::map<LdmPart, TensorMap> weights;
  for (const LdmPart part : parts()) {
    weights[part] = PassedSource::weights(part);
    for (const auto& [name, tensor] : weights[part]) targets.names[part].push_back(name);
  }
  const UNetConfig unet = UNetConfig::from_json(config(LdmPart::kUnet), "config.json");
  targets.unet_layers = unet.layers_per_block.front();
  for (const LoraChoice& lora : loras_) {
    additions_.push_back(read_lora(lora.path, targets));
    for (const auto& [part, of_part] : additions_.back()) {
      for (const auto& [name, addition] : of_part) {
        with_context(fmt::format("LoRA '{}': '{}'", lora.path.string(), name),
                     [&, &part = part, &name = name, &addition = addition] {
                       addition.delta(weights.at(part).at(name).sizes());
                     });
      }
    }
  }
}

TensorMap LoraSource::weights(LdmPart part) const {
  TensorMap weights = PassedSource::weights(part);
  for (std::size_t i = 0; i < loras_.size(); ++i) {
    const auto of_part = additions_[i].find(part);
    if (of_part == additions_[i].end()) continue;
    for (const auto& [name, addition] : of_part->second) {
      at::Tensor& weight = weights.at(name);
      weight = (weight.to(torch::kFloat32) + loras_[i].scale * addition.delta(weight.sizes())).to(weight.scalar_type());
    }
  }
  return weights;
}

nlohmann::json LoraSource::config(LdmPart part) const {
  nlohmann::json config = PassedSource::config(part);
  if (part != LdmPart::kUnet) return config;
  for (const LoraChoice& lora : loras_) {
    const nlohmann::json size = lora.decides_size ? provenance_.value("image_size_px", nlohmann::json()) : nullptr;
    if (!size.is_number_integer()) continue;
    const auto vae = AutoencoderConfig::from_json(PassedSource::config(LdmPart::kVae), "config.json");
    config["sample_size"] = size.get<std::int64_t>() / vae.downsampling_factor();
  }
  return config;
}

std::string LoraSource::subject(LdmPart part) const {
  std::string text = PassedSource::subject(part);
  for (const LoraChoice& lora : loras_) text += " + " + lora.path.filename().string();
  return text;
}

std::vector<LdmFile> LoraSource::files() const {
  std::vector<LdmFile> files = PassedSource::files();
  for (const LoraChoice& lora : loras_) {
    files.push_back({fmt::format("lora at {}", lora.scale), lora.path, {}});
    const fs::path config = lora.path.parent_path() / "adapter_config.json";
    if (lora.path.filename().string().starts_with("adapter_model") && fs::is_regular_file(config))
      files.push_back({"adapter_config.json", config, {}});
  }
  return files;
}

// The VAE of another folder.
class VaeSource : public PassedSource {
 public:
  VaeSource(std::shared_ptr<const ModelSource> source, const fs::path& folder)
      : PassedSource(std::move(source)), vae_(folder, parts().size() > 3) {}
  nlohmann::json config(LdmPart part) const override {
    return part == LdmPart::kVae ? vae_.config() : PassedSource::config(part);
  }
  TensorMap weights(LdmPart part) const override {
    return part == LdmPart::kVae ? vae_.weights() : PassedSource::weights(part);
  }
  std::string subject(LdmPart part) const override {
    return part == LdmPart::kVae ? vae_.subject() : PassedSource::subject(part);
  }
  std::vector<LdmFile> files() const override {
    std::vector<LdmFile> files = PassedSource::files();
    std::erase_if(files, [](const LdmFile& file) { return file.name.starts_with("vae/"); });
    for (LdmFile& file : vae_.files()) files.push_back(std::move(file));
    return files;
  }

 private:
  VaeFolder vae_;
};

}  // namespace

std::shared_ptr<const ModelSource> adapted(std::shared_ptr<const ModelSource> source, const LdmOptions& options) {
  if (!options.vae.empty()) source = std::make_shared<VaeSource>(std::move(source), options.vae);
  if (!options.loras.empty()) source = std::make_shared<LoraSource>(std::move(source), options.loras);
  return source;
}

LoraChoice lora_choice(const std::string& word) {
  const auto colon = word.rfind(':');
  if (colon == std::string::npos || colon + 1 == word.size() || fs::exists(word)) return {word, 1};
  double scale = 0;
  const auto [end, error] = std::from_chars(word.data() + colon + 1, word.data() + word.size(), scale);
  check<ConfigError>(error == std::errc() && end == word.data() + word.size() && std::isfinite(scale),
                     "'{}': expected FILE or FILE:SCALE, the scale a number", word);
  return {word.substr(0, colon), scale};
}

std::vector<LoraChoice> lora_choices(const std::vector<std::string>& words) {
  std::vector<LoraChoice> choices;
  for (const std::string& word : words) choices.push_back(lora_choice(word));
  return choices;
}

}  // namespace domainfusion
