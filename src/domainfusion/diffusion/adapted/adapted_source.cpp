#include "domainfusion/diffusion/adapted/adapted_source.h"

#include <torch/types.h>

#include <charconv>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/unet/unet_config.h"

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
  nlohmann::json provenance() const override { return source_->provenance(); }
  std::vector<LdmFile> files() const override { return source_->files(); }

 protected:
  const ModelSource& source() const { return *source_; }

 private:
  std::shared_ptr<const ModelSource> source_;
};

// W + scale * delta for each weight that a LoRA has something for, in the weight's dtype.
class LoraSource : public PassedSource {
 public:
  LoraSource(std::shared_ptr<const ModelSource> source, std::vector<LoraChoice> loras);
  TensorMap weights(LdmPart part) const override;
  std::string subject(LdmPart part) const override;
  std::vector<LdmFile> files() const override;

 private:
  std::vector<LoraChoice> loras_;
  std::vector<std::map<LdmPart, std::map<std::string, LowRank>>> additions_;  // of each LoRA
};

LoraSource::LoraSource(std::shared_ptr<const ModelSource> source, std::vector<LoraChoice> loras)
    : PassedSource(std::move(source)), loras_(std::move(loras)) {
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

}  // namespace

std::shared_ptr<const ModelSource> adapted(std::shared_ptr<const ModelSource> source, const LdmOptions& options) {
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
