#include "domainfusion/diffusion/weights/compvis_names.h"

#include <torch/types.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

using Target = CompvisNames::Target;
using Use = CompvisNames::Use;
using Renames = std::initializer_list<std::pair<std::string_view, std::string_view>>;

constexpr std::string_view kUnet = "model.diffusion_model.", kVae = "first_stage_model.",
                           kClip = "cond_stage_model.transformer.", kOpenClip = "cond_stage_model.model.";
// Of Stable Diffusion XL.
constexpr std::string_view kXlClip = "conditioner.embedders.0.transformer.",
                           kXlOpenClip = "conditioner.embedders.1.model.";

// Takes `prefix` off the front of `text`, if it is there.
bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// Takes "<number>." off the front of `text`.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != '.' || number < 0 || number > 10'000)
    return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()) + 1);
  return number;
}

// `text` with the first prefix of `renames` that it begins with replaced; nullopt if it begins with none.
std::optional<std::string> renamed(std::string_view text, Renames renames) {
  for (const auto& [old_prefix, new_prefix] : renames) {
    if (take(text, old_prefix)) return std::string(new_prefix) + std::string(text);
  }
  return std::nullopt;
}

// 1 + the largest number that stands between `prefix` and the next point in a name; 0 where there is none.
std::int64_t count_numbered(const TensorShapes& shapes, std::string_view prefix) {
  std::int64_t count = 0;
  for (auto found = shapes.lower_bound(std::string(prefix)); found != shapes.end() && found->first.starts_with(prefix);
       ++found) {
    std::string_view rest = std::string_view(found->first).substr(prefix.size());
    if (const auto number = take_number(rest)) count = std::max(count, *number + 1);
  }
  return count;
}

bool has_prefix(const TensorShapes& shapes, std::string_view prefix) {
  const auto found = shapes.lower_bound(std::string(prefix));
  return found != shapes.end() && found->first.starts_with(prefix);
}

// The number of input blocks up to the first downsampling: one, and the residual blocks of the first level.
std::int64_t first_downsampling(const TensorShapes& shapes, std::int64_t inputs) {
  for (std::int64_t i = 1; i < inputs; ++i) {
    if (shapes.contains(fmt::format("{}input_blocks.{}.0.op.weight", kUnet, i))) return i;
  }
  return inputs;
}

std::optional<std::string> resnet_name(std::string_view rest) {
  return renamed(rest, {{"in_layers.0.", "norm1."},
                        {"in_layers.2.", "conv1."},
                        {"emb_layers.1.", "time_emb_proj."},
                        {"out_layers.0.", "norm2."},
                        {"out_layers.3.", "conv2."},
                        {"skip_connection.", "conv_shortcut."}});
}

Target unet_part(std::optional<std::string> name) {
  return name ? Target{Use::kPart, LdmPart::kUnet, *name} : Target{};
}

// A residual block (0) or an attention (1) below `block`.
Target unet_layer(const std::string& block, std::int64_t kind, std::int64_t layer, std::string_view rest) {
  if (kind == 1) return unet_part(fmt::format("{}.attentions.{}.{}", block, layer, rest));
  const auto name = resnet_name(rest);
  return kind == 0 && name ? unet_part(fmt::format("{}.resnets.{}.{}", block, layer, *name)) : Target{};
}

std::optional<std::string> vae_resnet(std::string_view rest) {
  if (const auto name = renamed(rest, {{"nin_shortcut.", "conv_shortcut."}})) return name;
  const bool same = rest.starts_with("norm1.") || rest.starts_with("conv1.") || rest.starts_with("norm2.") ||
                    rest.starts_with("conv2.");
  return same ? std::optional(std::string(rest)) : std::nullopt;
}

// Names below encoder. or decoder. that do not depend on the level.
std::optional<std::string> vae_fixed_name(std::string_view rest) {
  return renamed(rest, {{"conv_in.", "conv_in."},
                        {"conv_out.", "conv_out."},
                        {"norm_out.", "conv_norm_out."},
                        {"mid.block_1.nin_shortcut.", "mid_block.resnets.0.conv_shortcut."},
                        {"mid.block_2.nin_shortcut.", "mid_block.resnets.1.conv_shortcut."},
                        {"mid.block_1.", "mid_block.resnets.0."},
                        {"mid.block_2.", "mid_block.resnets.1."},
                        {"mid.attn_1.norm.", "mid_block.attentions.0.group_norm."},
                        {"mid.attn_1.q.", "mid_block.attentions.0.to_q."},
                        {"mid.attn_1.k.", "mid_block.attentions.0.to_k."},
                        {"mid.attn_1.v.", "mid_block.attentions.0.to_v."},
                        {"mid.attn_1.proj_out.", "mid_block.attentions.0.to_out.0."}});
}

// "<level>.block.<layer>.…" or "<level>.downsample.conv.…" as diffusers' blocks; `level` is turned by the caller.
std::optional<std::string> vae_level_name(std::string_view rest, std::string_view blocks, std::string_view resampling,
                                          std::string_view resamplers, std::int64_t level) {
  if (take(rest, resampling)) return fmt::format("{}.{}.{}.0.conv.{}", blocks, level, resamplers, rest);
  if (!take(rest, "block.")) return std::nullopt;
  const auto layer = take_number(rest);
  const auto name = vae_resnet(rest);
  if (!layer || !name) return std::nullopt;
  return fmt::format("{}.{}.resnets.{}.{}", blocks, level, *layer, *name);
}

// What a training program keeps beside the model: averages of its weights, its schedule, losses.
bool is_of_training(std::string_view name) {
  constexpr std::array<std::string_view, 3> kPrefixes{"model_ema.", "first_stage_model.loss.",
                                                      "first_stage_model.model_ema."};
  constexpr std::array<std::string_view, 17> kBuffers{"betas",
                                                      "alphas_cumprod",
                                                      "alphas_cumprod_prev",
                                                      "sqrt_alphas_cumprod",
                                                      "sqrt_one_minus_alphas_cumprod",
                                                      "log_one_minus_alphas_cumprod",
                                                      "sqrt_recip_alphas_cumprod",
                                                      "sqrt_recipm1_alphas_cumprod",
                                                      "posterior_variance",
                                                      "posterior_log_variance_clipped",
                                                      "posterior_mean_coef1",
                                                      "posterior_mean_coef2",
                                                      "logvar",
                                                      "lvlb_weights",
                                                      "scale_factor",
                                                      "global_step",
                                                      "epoch"};
  const auto begins = [name](std::string_view prefix) { return name.starts_with(prefix); };
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), begins) ||
         std::find(kBuffers.begin(), kBuffers.end(), name) != kBuffers.end();
}

// Stable Diffusion 2 conditions on the layer before the last of OpenCLIP's. Its own files hold the last one too, and
// the projection behind it; files made from a diffusers folder hold neither.
std::int64_t used_open_clip_layers(const TensorShapes& shapes) {
  constexpr std::int64_t kUsedOfVitH = 23;
  const std::int64_t layers = count_numbered(shapes, std::string(kOpenClip) + "transformer.resblocks.");
  if (layers >= kUsedOfVitH) return kUsedOfVitH;
  return has_prefix(shapes, std::string(kOpenClip) + "text_projection") ? layers - 1 : layers;
}

}  // namespace

bool is_compvis(const TensorShapes& shapes) { return has_prefix(shapes, kUnet); }

CompvisNames::CompvisNames(const TensorShapes& shapes) {
  check<FormatError>(is_compvis(shapes),
                     "holds no model.diffusion_model.*: it is no latent diffusion model in CompVis' layout");
  xl_ = has_prefix(shapes, "conditioner.") || has_prefix(shapes, std::string(kUnet) + "label_emb.");
  check<FormatError>(!has_prefix(shapes, "conditioner.embedders.0.model."),
                     "is the refiner of Stable Diffusion XL, which starts from another model's latents; use the base");
  check<FormatError>(has_prefix(shapes, kVae), "holds a U-Net but no VAE (first_stage_model.*); use a complete file");
  check<FormatError>(xl_ ? has_prefix(shapes, kXlClip) && has_prefix(shapes, kXlOpenClip)
                         : has_prefix(shapes, kClip) || has_prefix(shapes, kOpenClip),
                     "holds a U-Net but {} ({}.*); use a complete file",
                     xl_ ? "not both text encoders" : "no text encoder", xl_ ? "conditioner" : "cond_stage_model");
  unet_inputs_ = count_numbered(shapes, std::string(kUnet) + "input_blocks.");
  unet_layers_ = first_downsampling(shapes, unet_inputs_) - 1;
  check<FormatError>(unet_layers_ >= 1, "its U-Net has no input_blocks: it is damaged");
  vae_levels_ = count_numbered(shapes, std::string(kVae) + "decoder.up.");
  open_clip_ = xl_ || has_prefix(shapes, kOpenClip);
  if (xl_) {
    text_layers_ = count_numbered(shapes, std::string(kXlClip) + "text_model.encoder.layers.");
    second_text_layers_ = count_numbered(shapes, std::string(kXlOpenClip) + "transformer.resblocks.");
    check<FormatError>(text_layers_ >= 2 && second_text_layers_ >= 2, "its text encoders lack layers: it is damaged");
    return;
  }
  text_layers_ = open_clip_ ? used_open_clip_layers(shapes)
                            : std::max(count_numbered(shapes, std::string(kClip) + "text_model.encoder.layers."),
                                       count_numbered(shapes, std::string(kClip) + "encoder.layers."));
  check<FormatError>(text_layers_ >= 1, "its text encoder has no layers: it is damaged");
}

Target CompvisNames::target_of(const std::string& name) const {
  std::string_view rest = name;
  if (is_of_training(name)) return {Use::kUnused};
  if (take(rest, kUnet)) return unet_target(std::string(rest));
  if (take(rest, kVae)) return vae_target(std::string(rest));
  if (take(rest, xl_ ? kXlOpenClip : kOpenClip)) return open_clip_target(std::string(rest));
  return take(rest, xl_ ? kXlClip : kClip) ? clip_target(std::string(rest)) : Target{};
}

std::vector<LdmPart> CompvisNames::parts() const {
  std::vector<LdmPart> parts{LdmPart::kVae, LdmPart::kUnet, LdmPart::kTextEncoder};
  if (xl_) parts.push_back(LdmPart::kTextEncoder2);
  return parts;
}

// Checkpoints written with later versions of transformers lack the level text_model. What else a CLIP may hold (its
// projection, its scale) conditions nothing.
Target CompvisNames::clip_target(const std::string& name) {
  std::string_view rest = name;
  take(rest, "text_model.");
  const bool known =
      rest.starts_with("embeddings.") || rest.starts_with("encoder.") || rest.starts_with("final_layer_norm.");
  if (!known) return {};
  return {rest.ends_with("embeddings.position_ids") ? Use::kUnused : Use::kPart, LdmPart::kTextEncoder,
          "text_model." + std::string(rest)};
}

Target CompvisNames::unet_target(const std::string& name) const {
  std::string_view rest = name;
  if (auto fixed = renamed(rest, {{"time_embed.0.", "time_embedding.linear_1."},
                                  {"time_embed.2.", "time_embedding.linear_2."},
                                  {"label_emb.0.0.", "add_embedding.linear_1."},
                                  {"label_emb.0.2.", "add_embedding.linear_2."},
                                  {"input_blocks.0.0.", "conv_in."},
                                  {"out.0.", "conv_norm_out."},
                                  {"out.2.", "conv_out."}})) {
    return unet_part(fixed);
  }
  if (take(rest, "middle_block.")) {
    const auto index = take_number(rest);
    if (!index || *index > 2) return {};
    return unet_layer("mid_block", *index % 2, *index / 2, rest);
  }
  const bool down = take(rest, "input_blocks.");
  if (!down && !take(rest, "output_blocks.")) return {};
  const auto block = take_number(rest), kind = take_number(rest);
  if (!block || !kind || (down && *block == 0)) return {};
  const std::int64_t place = down ? *block - 1 : *block, level = place / (unet_layers_ + 1),
                     layer = place % (unet_layers_ + 1);
  const std::string blocks = fmt::format("{}_blocks.{}", down ? "down" : "up", level);
  if (down && take(rest, "op.")) return unet_part(fmt::format("{}.downsamplers.0.conv.{}", blocks, rest));
  if (!down && take(rest, "conv.")) return unet_part(fmt::format("{}.upsamplers.0.conv.{}", blocks, rest));
  return unet_layer(blocks, *kind, layer, rest);
}

Target CompvisNames::vae_target(const std::string& name) const {
  std::string_view rest = name;
  const auto part = [](const std::optional<std::string>& new_name) {
    return new_name ? Target{Use::kPart, LdmPart::kVae, *new_name} : Target{};
  };
  if (rest.starts_with("quant_conv.") || rest.starts_with("post_quant_conv.")) return part(name);
  const bool encoder = take(rest, "encoder.");
  if (!encoder && !take(rest, "decoder.")) return {};
  std::optional<std::string> below = vae_fixed_name(rest);
  if (!below && take(rest, encoder ? "down." : "up.")) {
    if (const auto level = take_number(rest)) {
      // Both count from the image's resolution; diffusers' decoder counts from the latent's.
      below = encoder ? vae_level_name(rest, "down_blocks", "downsample.conv.", "downsamplers", *level)
                      : vae_level_name(rest, "up_blocks", "upsample.conv.", "upsamplers", vae_levels_ - 1 - *level);
    }
  }
  return below ? part((encoder ? "encoder." : "decoder.") + *below) : Target{};
}

Target CompvisNames::open_clip_target(const std::string& name) const {
  std::string_view rest = name;
  const LdmPart encoder = xl_ ? LdmPart::kTextEncoder2 : LdmPart::kTextEncoder;
  const std::int64_t layers = xl_ ? second_text_layers_ : text_layers_;
  const auto part = [encoder](std::string new_name) { return Target{Use::kPart, encoder, "text_model." + new_name}; };
  if (xl_ && name == "text_projection") return {Use::kTurned, encoder, "text_projection.weight"};
  if (name == "text_projection" || name == "logit_scale" || name == "attn_mask") return {Use::kUnused};
  if (name.ends_with("embeddings.position_ids")) return {Use::kUnused};  // of a file made from a diffusers folder
  if (name == "positional_embedding") return part("embeddings.position_embedding.weight");
  if (name == "token_embedding.weight") return part("embeddings.token_embedding.weight");
  if (take(rest, "ln_final.")) return part("final_layer_norm." + std::string(rest));
  if (!take(rest, "transformer.resblocks.")) return {};
  const auto layer = take_number(rest);
  if (!layer) return {};
  if (*layer >= layers) return {Use::kUnused};
  const std::string block = fmt::format("encoder.layers.{}.", *layer);
  for (const char* kind : {"weight", "bias"}) {
    if (rest == std::string("attn.in_proj_") + kind) {
      return {Use::kThirds, encoder, "text_model." + block + "self_attn.?_proj." + kind};
    }
  }
  const auto below = renamed(rest, {{"ln_1.", "layer_norm1."},
                                    {"ln_2.", "layer_norm2."},
                                    {"mlp.c_fc.", "mlp.fc1."},
                                    {"mlp.c_proj.", "mlp.fc2."},
                                    {"attn.out_proj.", "self_attn.out_proj."}});
  return below ? part(block + *below) : Target{};
}

TensorMap compvis_part(const TensorMap& tensors, const CompvisNames& names, LdmPart part) {
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors) {
    const Target target = names.target_of(name);
    if (target.part != part) continue;
    if (target.use == Use::kThirds) {
      check<FormatError>(tensor.dim() >= 1 && tensor.size(0) % 3 == 0,
                         "tensor '{}' has shape [{}]; expected query, key and value", name,
                         fmt::join(tensor.sizes(), ", "));
      const auto thirds = tensor.chunk(3, 0);
      std::string new_name = target.name;
      for (std::size_t i = 0; i < thirds.size(); ++i) {
        new_name[target.name.find('?')] = "qkv"[i];
        renamed[new_name] = thirds[i];
      }
    } else if (target.use == Use::kTurned) {
      check<FormatError>(tensor.dim() == 2, "tensor '{}' has shape [{}]; expected a matrix", name,
                         fmt::join(tensor.sizes(), ", "));
      renamed[target.name] = tensor.t();
    } else if (target.use == Use::kPart) {
      const bool linear =
          part == LdmPart::kVae && target.name.find(".attentions.") != std::string::npos && tensor.dim() == 4;
      check<FormatError>(renamed.emplace(target.name, linear ? tensor.flatten(1) : tensor).second,
                         "two tensors are to be '{}': the second is '{}'", target.name, name);
    }
  }
  return renamed;
}

}  // namespace domainfusion
