#include "domainfusion/diffusion/weights/weights_kind.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace domainfusion {
namespace {

// A network that is known by one of its tensors; {} in `kind` stands for the extent `dimension` of it.
struct KnownNetwork {
  std::string_view tensor, kind;
  std::size_t dimension;
};
constexpr std::array<KnownNetwork, 8> kKnown{
    {{"mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight", "U-Net of diffusers, conditioned on {} channels",
      1},
     {"post_quant_conv.weight", "VAE of diffusers, {} latent channels", 0},
     {"text_model.embeddings.token_embedding.weight", "CLIP text encoder of transformers, {} channels", 1},
     {"layer1.0.conv3.weight", "ResNet of torchvision with bottlenecks, {} channels in its first level", 0},
     {"layer1.0.conv1.weight", "ResNet of torchvision, {} channels in its first level", 0},
     {"encoder.pos_embedding", "ViT of torchvision, {} channels", 2},
     {"model.conv1.weight", "checkpoint of a run of this program, {} channels in its stem", 0},
     {"cond_stage_model.model.ln_final.weight", "text encoder of OpenCLIP, {} channels", 0}}};

bool any_name_holds(const TensorShapes& shapes, std::string_view text) {
  return std::any_of(shapes.begin(), shapes.end(),
                     [text](const auto& item) { return item.first.find(text) != std::string::npos; });
}

std::string kind_of_compvis(const TensorShapes& shapes) {
  const auto holds = [&shapes](const char* prefix) {
    const auto found = shapes.lower_bound(prefix);
    return found != shapes.end() && found->first.starts_with(prefix);
  };
  if (holds("conditioner.")) return "Stable Diffusion XL model in CompVis' layout";
  const bool whole = holds("first_stage_model.") && holds("cond_stage_model.");
  return fmt::format("Stable Diffusion {} model in CompVis' layout{}", holds("cond_stage_model.model.") ? "2.x" : "1.x",
                     whole ? "" : ", without VAE or text encoder");
}

}  // namespace

std::string kind_of_weights(const TensorShapes& shapes) {
  if (is_compvis(shapes)) return kind_of_compvis(shapes);
  for (const KnownNetwork& known : kKnown) {
    const auto found = shapes.find(std::string(known.tensor));
    if (found == shapes.end() || found->second.size() <= known.dimension) continue;
    return fmt::format(fmt::runtime(known.kind), found->second[known.dimension]);
  }
  return any_name_holds(shapes, "lora_") ? "LoRA, for --lora" : "weights of an unknown network";
}

}  // namespace domainfusion
