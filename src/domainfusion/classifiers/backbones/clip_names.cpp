#include "domainfusion/classifiers/backbones/clip_names.h"

#include <torch/types.h>

#include <array>
#include <string>
#include <utility>

namespace domainfusion {
namespace {

using Renaming = std::pair<const char*, const char*>;

// Of a layer, behind "vision_model.encoder.layers.I." and "visual.transformer.resblocks.I.".
constexpr std::array<Renaming, 5> kLayerNames{{{"layer_norm1.", "ln_1."},
                                               {"layer_norm2.", "ln_2."},
                                               {"self_attn.out_proj.", "attn.out_proj."},
                                               {"mlp.fc1.", "mlp.c_fc."},
                                               {"mlp.fc2.", "mlp.c_proj."}}};
constexpr std::array<Renaming, 5> kNames{
    {{"vision_model.embeddings.class_embedding", "visual.class_embedding"},
     {"vision_model.embeddings.patch_embedding.", "visual.conv1."},
     {"vision_model.embeddings.position_embedding.weight", "visual.positional_embedding"},
     {"vision_model.pre_layrnorm.", "visual.ln_pre."},
     {"vision_model.post_layernorm.", "visual.ln_post."}}};
constexpr std::string_view kLayers = "vision_model.encoder.layers.";

// What a whole CLIP holds beside the image encoder, OpenAI's and transformers'.
constexpr std::array kTextParts = {"transformer.",
                                   "token_embedding.",
                                   "ln_final.",
                                   "positional_embedding",
                                   "text_projection",
                                   "logit_scale",
                                   "text_model.",
                                   "input_resolution",
                                   "context_length",
                                   "vocab_size",
                                   "vision_model.embeddings.position_ids"};

bool is_text_part(const std::string& name) {
  for (const char* part : kTextParts) {
    if (name.starts_with(part)) return true;
  }
  return false;
}

template <class Names>
std::string replaced_start(const std::string& name, const Names& names) {
  for (const auto& [theirs, ours] : names) {
    if (name.starts_with(theirs)) return ours + name.substr(std::string_view(theirs).size());
  }
  return name;
}

std::string openai_name(const std::string& name) {
  if (!name.starts_with(kLayers)) return replaced_start(name, kNames);
  const std::size_t behind_number = name.find('.', kLayers.size()) + 1;
  const std::string number = name.substr(kLayers.size(), behind_number - kLayers.size());
  return "visual.transformer.resblocks." + number + replaced_start(name.substr(behind_number), kLayerNames);
}

// in_proj of OpenAI is query, key and value below one another.
void join_projections(TensorMap& weights) {
  const TensorMap before = weights;
  for (const auto& [name, query] : before) {
    for (const std::string kind : {"weight", "bias"}) {
      const std::string ending = "self_attn.q_proj." + kind;
      if (!name.ends_with(ending)) continue;
      const std::string start = name.substr(0, name.size() - ending.size());
      const auto key = before.find(start + "self_attn.k_proj." + kind),
                 value = before.find(start + "self_attn.v_proj." + kind);
      if (key == before.end() || value == before.end()) continue;
      weights[start + "attn.in_proj_" + kind] = torch::cat({query, key->second, value->second});
      for (const auto& part : {name, key->first, value->first}) weights.erase(part);
    }
  }
}

}  // namespace

void take_openai_names(TensorMap& weights) {
  TensorMap renamed;
  for (const auto& [name, tensor] : weights) {
    if (!is_text_part(name)) renamed[openai_name(name)] = tensor;
  }
  if (const auto projection = renamed.find("visual_projection.weight"); projection != renamed.end()) {
    renamed["visual.proj"] = projection->second.t();
    renamed.erase("visual_projection.weight");
  }
  join_projections(renamed);
  weights = std::move(renamed);
}

}  // namespace domainfusion
