#include "domainfusion/diffusion/vae/autoencoder_config.h"

#include <algorithm>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"

namespace domainfusion {

using nlohmann::json;

namespace {

void check_block_types(ModelConfigReader& reader, const char* key, const std::string& type, std::size_t levels) {
  for (const std::string& name : reader.texts(key, std::vector<std::string>(levels, type))) {
    if (name != type) reader.refuse(key, type + " for every level");
  }
  if (reader.texts(key, std::vector<std::string>(levels, type)).size() != levels) {
    reader.refuse(key, "as many entries as block_out_channels");
  }
}

// diffusers' AutoencoderTiny. Its channels are one number throughout: between two levels there is none to change them.
AutoencoderConfig tiny_config(const json& object, const std::string& subject) {
  ModelConfigReader reader(object, subject);
  AutoencoderConfig c;
  c.in_channels = reader.integer("in_channels", 3, 1);
  c.out_channels = reader.integer("out_channels", 3, 1);
  c.block_out_channels = reader.integers("encoder_block_out_channels", {64, 64, 64, 64});
  c.decoder_channels = reader.integers("decoder_block_out_channels", {64, 64, 64, 64});
  c.latent_channels = reader.integer("latent_channels", 4, 1);
  c.encoder_blocks = reader.integers("num_encoder_blocks", {1, 3, 3, 3}, 0, 64);
  c.decoder_blocks = reader.integers("num_decoder_blocks", {3, 3, 3, 1}, 0, 64);
  c.scaling_factor = reader.real("scaling_factor", 1, 1e-6, 1e6);
  c.force_upcast = reader.boolean("force_upcast", false);
  const auto same = [](const std::vector<std::int64_t>& list) {
    return std::all_of(list.begin(), list.end(), [&](std::int64_t value) { return value == list[0]; });
  };
  if (!same(c.block_out_channels)) reader.refuse("encoder_block_out_channels", "the same number for every level");
  if (!same(c.decoder_channels)) reader.refuse("decoder_block_out_channels", "the same number for every level");
  const std::size_t levels = c.block_out_channels.size();
  if (c.encoder_blocks.size() != levels) reader.refuse("num_encoder_blocks", "as many entries as levels");
  if (c.decoder_blocks.size() != c.decoder_channels.size())
    reader.refuse("num_decoder_blocks", "as many entries as levels");
  if (c.decoder_channels.size() != levels) reader.refuse("decoder_block_out_channels", "as many levels as the encoder");
  reader.only("act_fn", {"relu"});
  reader.only("upsampling_scaling_factor", {2});
  reader.only("upsample_fn", {"nearest"});
  reader.only("latents_mean", {nullptr});
  reader.only("latents_std", {nullptr});
  reader.only("shift_factor", {nullptr, 0.0});
  // The first repeats the encoder's, the others belong to the scaling of latents into [0, 1], which nothing here asks.
  reader.ignore({"block_out_channels", "latent_magnitude", "latent_shift"});
  reader.finish();
  return c;
}

json tiny_json(const AutoencoderConfig& c) {
  return {{"_class_name", "AutoencoderTiny"},
          {"act_fn", "relu"},
          {"in_channels", c.in_channels},
          {"out_channels", c.out_channels},
          {"encoder_block_out_channels", c.block_out_channels},
          {"decoder_block_out_channels", c.decoder_channels},
          {"latent_channels", c.latent_channels},
          {"num_encoder_blocks", c.encoder_blocks},
          {"num_decoder_blocks", c.decoder_blocks},
          {"scaling_factor", c.scaling_factor}};
}

}  // namespace

AutoencoderConfig AutoencoderConfig::from_json(const json& object, const std::string& subject) {
  if (object.is_object() && object.value("_class_name", json()) == "AutoencoderTiny")
    return tiny_config(object, subject);
  ModelConfigReader reader(object, subject);
  AutoencoderConfig c;
  c.in_channels = reader.integer("in_channels", c.in_channels, 1);
  c.out_channels = reader.integer("out_channels", c.out_channels, 1);
  c.block_out_channels = reader.integers("block_out_channels", c.block_out_channels);
  c.layers_per_block = reader.integer("layers_per_block", c.layers_per_block, 1, 64);
  c.latent_channels = reader.integer("latent_channels", c.latent_channels, 1);
  c.norm_num_groups = reader.integer("norm_num_groups", c.norm_num_groups, 1);
  c.sample_size_px = reader.integer("sample_size", c.sample_size_px, 1);
  c.scaling_factor = reader.real("scaling_factor", c.scaling_factor, 1e-6, 1e6);
  c.mid_block_add_attention = reader.boolean("mid_block_add_attention", c.mid_block_add_attention);
  check_block_types(reader, "down_block_types", "DownEncoderBlock2D", c.block_out_channels.size());
  check_block_types(reader, "up_block_types", "UpDecoderBlock2D", c.block_out_channels.size());
  reader.only("act_fn", {"silu", "swish"});
  reader.only("use_quant_conv", {true});
  reader.only("use_post_quant_conv", {true});
  reader.only("latents_mean", {nullptr});
  reader.only("latents_std", {nullptr});
  reader.only("shift_factor", {nullptr, 0.0});
  c.force_upcast = reader.boolean("force_upcast", c.force_upcast);
  reader.finish();
  return c;
}

void AutoencoderConfig::check_tiles(std::int64_t tile_px) const {
  const std::int64_t unit = 4 * downsampling_factor();
  check<ConfigError>(tile_px >= 0 && tile_px % unit == 0, "VAE tiles of {} px: expected a multiple of {}", tile_px,
                     unit);
}

json AutoencoderConfig::to_json() const {
  if (is_tiny()) return tiny_json(*this);
  const std::size_t levels = block_out_channels.size();
  json object = {{"_class_name", "AutoencoderKL"},
                 {"act_fn", "silu"},
                 {"in_channels", in_channels},
                 {"out_channels", out_channels},
                 {"block_out_channels", block_out_channels},
                 {"layers_per_block", layers_per_block},
                 {"latent_channels", latent_channels},
                 {"norm_num_groups", norm_num_groups},
                 {"sample_size", sample_size_px},
                 {"scaling_factor", scaling_factor},
                 {"down_block_types", std::vector<std::string>(levels, "DownEncoderBlock2D")},
                 {"up_block_types", std::vector<std::string>(levels, "UpDecoderBlock2D")}};
  if (!force_upcast) object["force_upcast"] = false;
  if (!mid_block_add_attention) object["mid_block_add_attention"] = false;
  return object;
}

}  // namespace domainfusion
