#include "domainfusion/diffusion/weights/compvis_config.h"

#include <algorithm>
#include <numeric>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/clip_text_config.h"
#include "domainfusion/diffusion/unet/unet_config.h"
#include "domainfusion/diffusion/vae/autoencoder_config.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kHeadChannels = 64, kUnetHeads = 8, kGroups = 32, kMaxLevels = 16;
constexpr double kXlScalingFactor = 0.13025;
constexpr const char* kBaseStep = "875000";  // global_step of Stable Diffusion 2.0-base

// Extent `dimension` of a tensor that must be there.
std::int64_t extent(const TensorShapes& shapes, const std::string& name, std::size_t dimension) {
  const auto found = shapes.find(name);
  check<FormatError>(found != shapes.end(), "has no tensor '{}': it is incomplete", name);
  check<FormatError>(dimension < found->second.size() && found->second[dimension] > 0,
                     "tensor '{}' has shape [{}]: it is no part of a Stable Diffusion model", name,
                     fmt::join(found->second, ", "));
  return found->second[dimension];
}

std::int64_t heads_of(std::int64_t channels) { return std::max<std::int64_t>(channels / kHeadChannels, 1); }

std::int64_t groups_of(const std::vector<std::int64_t>& channels) {
  std::int64_t groups = kGroups;
  for (const std::int64_t count : channels) groups = std::gcd(groups, count);
  return groups;
}

// One level of the U-Net's way down.
struct UNetLevel {
  std::int64_t channels = 0, transformer_layers = 0;
};

std::int64_t transformer_layers(const TensorShapes& shapes, const std::string& attention) {
  std::int64_t count = 0;
  while (shapes.contains(fmt::format("{}.transformer_blocks.{}.norm1.weight", attention, count))) ++count;
  return count;
}

std::vector<UNetLevel> unet_levels(const TensorShapes& shapes, const CompvisNames& names) {
  const std::int64_t levels = names.unet_inputs() / (names.unet_layers() + 1);
  check<FormatError>(levels >= 1 && levels <= kMaxLevels && levels * (names.unet_layers() + 1) == names.unet_inputs(),
                     "its U-Net has {} input blocks with {} layers each, which make no whole levels",
                     names.unet_inputs(), names.unet_layers());
  std::vector<UNetLevel> found;
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::string first =
        fmt::format("model.diffusion_model.input_blocks.{}.", 1 + level * (names.unet_layers() + 1));
    found.push_back({extent(shapes, first + "0.in_layers.2.weight", 0), transformer_layers(shapes, first + "1")});
  }
  return found;
}

const std::string kMiddle = "model.diffusion_model.middle_block.1.";

UNetConfig unet_config(const TensorShapes& shapes, const CompvisNames& names, std::int64_t sample_size) {
  UNetConfig c;
  c.sample_size = sample_size;
  c.in_channels = extent(shapes, "model.diffusion_model.input_blocks.0.0.weight", 1);
  c.out_channels = extent(shapes, "model.diffusion_model.out.2.weight", 0);
  c.layers_per_block = {names.unet_layers()};
  c.cross_attention_dim = extent(shapes, kMiddle + "transformer_blocks.0.attn2.to_k.weight", 1);
  extent(shapes, kMiddle + "proj_in.weight", 0);
  c.use_linear_projection = shapes.at(kMiddle + "proj_in.weight").size() == 2;
  c.block_out_channels.clear();
  c.transformer_layers_per_block.clear();
  c.down_block_types.clear();
  c.attention_head_dim = names.has_open_clip() ? std::vector<std::int64_t>() : std::vector{kUnetHeads};
  for (const UNetLevel& level : unet_levels(shapes, names)) {
    c.block_out_channels.push_back(level.channels);
    c.transformer_layers_per_block.push_back(std::max<std::int64_t>(level.transformer_layers, 1));
    c.down_block_types.push_back(level.transformer_layers > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D");
    if (names.has_open_clip()) c.attention_head_dim.push_back(heads_of(level.channels));
  }
  c.up_block_types.clear();
  for (auto type = c.down_block_types.rbegin(); type != c.down_block_types.rend(); ++type) {
    c.up_block_types.push_back(*type == "DownBlock2D" ? "UpBlock2D" : "CrossAttnUpBlock2D");
  }
  c.norm_num_groups = groups_of(c.block_out_channels);
  if (names.is_xl()) {
    c.projection_class_embeddings_input_dim = extent(shapes, "model.diffusion_model.label_emb.0.0.weight", 1);
    // Six sizes share what the pooled text leaves: 256 each in the published models.
    const std::int64_t pooled = extent(shapes, "conditioner.embedders.1.model.text_projection", 1);
    c.addition_time_embed_dim = (c.projection_class_embeddings_input_dim - pooled) / 6;
    check<FormatError>(c.addition_time_embed_dim >= 2 && c.pooled_channels() == pooled,
                       "its label_emb takes {} numbers, its text encoder gives {}: they do not belong together",
                       c.projection_class_embeddings_input_dim, pooled);
  }
  return c;
}

AutoencoderConfig vae_config(const TensorShapes& shapes, const CompvisNames& names, std::int64_t sample_size) {
  const std::string encoder = "first_stage_model.encoder.";
  check<FormatError>(names.vae_levels() >= 1 && names.vae_levels() <= kMaxLevels, "its VAE has {} levels",
                     names.vae_levels());
  AutoencoderConfig c;
  c.in_channels = extent(shapes, encoder + "conv_in.weight", 1);
  c.out_channels = extent(shapes, "first_stage_model.decoder.conv_out.weight", 0);
  c.latent_channels = extent(shapes, "first_stage_model.post_quant_conv.weight", 0);
  c.mid_block_add_attention = shapes.contains(encoder + "mid.attn_1.norm.weight");
  c.block_out_channels.clear();
  for (std::int64_t level = 0; level < names.vae_levels(); ++level) {
    c.block_out_channels.push_back(extent(shapes, fmt::format("{}down.{}.block.0.conv1.weight", encoder, level), 0));
  }
  c.layers_per_block = 0;
  while (shapes.contains(fmt::format("{}down.0.block.{}.conv1.weight", encoder, c.layers_per_block)))
    ++c.layers_per_block;
  c.norm_num_groups = groups_of(c.block_out_channels);
  c.sample_size_px = sample_size * c.downsampling_factor();
  if (names.is_xl()) c.scaling_factor = kXlScalingFactor;
  return c;
}

ClipTextConfig text_config(const TensorShapes& shapes, const CompvisNames& names, LdmPart part) {
  // Under its new name, so that every spelling of a text encoder counts.
  TensorShapes renamed;
  for (const auto& [name, shape] : shapes) {
    const auto target = names.target_of(name);
    if (target.use == CompvisNames::Use::kPart && target.part == part) renamed[target.name] = shape;
  }
  ClipTextConfig c;
  c.vocab_size = extent(renamed, "text_model.embeddings.token_embedding.weight", 0);
  c.hidden_size = extent(renamed, "text_model.embeddings.token_embedding.weight", 1);
  c.max_position_embeddings = extent(renamed, "text_model.embeddings.position_embedding.weight", 0);
  c.intermediate_size = extent(renamed, "text_model.encoder.layers.0.mlp.fc1.weight", 0);
  const bool second = part == LdmPart::kTextEncoder2, open_clip = names.is_xl() ? second : names.has_open_clip();
  c.num_hidden_layers = second ? names.second_text_layers() : names.text_layers();
  c.num_attention_heads = heads_of(c.hidden_size);
  c.hidden_act = open_clip ? "gelu" : "quick_gelu";
  if (open_clip) c.pad_token_id = 0;
  if (second) c.projection_dim = extent(shapes, "conditioner.embedders.1.model.text_projection", 1);
  return c;
}

nlohmann::json scheduler_config(const std::string& prediction_type) {
  return {{"_class_name", "PNDMScheduler"},
          {"num_train_timesteps", 1000},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"prediction_type", prediction_type},
          {"clip_sample", false},
          {"set_alpha_to_one", false},
          {"skip_prk_steps", true},
          {"steps_offset", 1}};
}

// Of Stable Diffusion XL.
nlohmann::json xl_scheduler_config(const std::string& prediction_type) {
  return {{"_class_name", "EulerDiscreteScheduler"},
          {"num_train_timesteps", 1000},
          {"beta_start", 0.00085},
          {"beta_end", 0.012},
          {"beta_schedule", "scaled_linear"},
          {"prediction_type", prediction_type},
          {"timestep_spacing", "leading"},
          {"steps_offset", 1}};
}

std::string compvis_prediction_type(const CompvisNames& names, const TensorMetadata& metadata,
                                    const std::string& wanted) {
  if (!wanted.empty()) return wanted;
  const auto step = metadata.find("global_step");
  const bool base = step != metadata.end() && step->second == kBaseStep;
  return names.has_open_clip() && !names.is_xl() && !base ? "v_prediction" : "epsilon";
}

}  // namespace

CompvisConfig::CompvisConfig(const TensorShapes& shapes, const CompvisNames& names, const TensorMetadata& metadata,
                             const std::string& prediction_type) {
  const std::string prediction = compvis_prediction_type(names, metadata, prediction_type);
  const std::int64_t sample_size = names.is_xl() ? 128 : prediction == "v_prediction" ? 96 : 64;
  vae_ = vae_config(shapes, names, sample_size).to_json();
  unet_ = unet_config(shapes, names, sample_size).to_json();
  text_encoder_ = text_config(shapes, names, LdmPart::kTextEncoder).to_json();
  if (names.is_xl()) second_text_encoder_ = text_config(shapes, names, LdmPart::kTextEncoder2).to_json();
  scheduler_ = names.is_xl() ? xl_scheduler_config(prediction) : scheduler_config(prediction);
}

}  // namespace domainfusion
