#pragma once
// Shape of an AutoencoderKL: the fields of diffusers' vae/config.json.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

struct AutoencoderConfig {
  std::int64_t in_channels = 3;
  std::int64_t out_channels = 3;
  std::vector<std::int64_t> block_out_channels = {64};  // from the image's resolution down to the latent's
  std::int64_t layers_per_block = 1;
  std::int64_t latent_channels = 4;
  std::int64_t norm_num_groups = 32;  // divides every entry of block_out_channels
  std::int64_t sample_size_px = 32;   // nominal image size ("sample_size")
  double scaling_factor = 0.18215;    // latents are multiplied by it: about 1 / their standard deviation
  bool mid_block_add_attention = true;
  bool force_upcast = true;  // its values overflow in float16; heeded where the model is of the SDXL family

  // Of AutoencoderTiny (diffusers' class of that name; TAESD), whose fields above hold too: residual blocks of each
  // level, channels all the same. Empty: an AutoencoderKL.
  std::vector<std::int64_t> encoder_blocks;    // from the image's resolution down
  std::vector<std::int64_t> decoder_blocks;    // from the latent's up
  std::vector<std::int64_t> decoder_channels;  // likewise
  bool is_tiny() const { return !encoder_blocks.empty(); }

  // Image pixels per latent pixel: 2^(levels - 1).
  std::int64_t downsampling_factor() const { return std::int64_t{1} << (block_out_channels.size() - 1); }

  // ConfigError unless tile_px is a multiple of four times the factor (tiles overlap by a quarter).
  void check_tiles(std::int64_t tile_px) const;

  // Absent keys take diffusers' defaults. ConfigError naming the field whose value is not supported; `subject` opens
  // it.
  static AutoencoderConfig from_json(const nlohmann::json& object, const std::string& subject);
  nlohmann::json to_json() const;  // a config.json that diffusers loads
};

}  // namespace domainfusion
