#pragma once
// Shape of a conditional U-Net: the fields of diffusers' unet/config.json.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// Lists of integers hold one value for all levels, or one per level from the latent's resolution down.
struct UNetConfig {
  std::int64_t sample_size = 0;  // nominal latent height and width in latent pixels; 0 where the file has none
  std::int64_t in_channels = 4;
  std::int64_t out_channels = 4;
  bool center_input_sample = false;
  bool flip_sin_to_cos = true;
  double freq_shift = 0;
  std::vector<std::string> down_block_types = {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D",
                                               "DownBlock2D"};
  std::vector<std::string> up_block_types = {"UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D",
                                             "CrossAttnUpBlock2D"};       // from the lowest resolution up
  std::vector<std::int64_t> block_out_channels = {320, 640, 1280, 1280};  // one per level
  std::vector<std::int64_t> layers_per_block = {2};
  std::vector<std::int64_t> transformer_layers_per_block = {1};
  std::vector<std::int64_t> attention_head_dim = {8};  // the NUMBER of heads, as in diffusers
  std::int64_t cross_attention_dim = 1280;
  std::int64_t downsample_padding = 1;
  std::int64_t norm_num_groups = 32;  // divides the channels of every block, skip connections included
  double norm_eps = 1e-5;
  bool use_linear_projection = false;
  bool upcast_attention = false;        // scores in float32: always so here
  std::int64_t time_embedding_dim = 0;  // 0: four times the first entry of block_out_channels
  std::int64_t time_cond_proj_dim = 0;  // width of the embedded guidance scale (latent consistency models); 0: none
  // Of SDXL (addition_embed_type = text_time): widths of each embedded size, and of pooled text and sizes together. 0:
  // none.
  std::int64_t addition_time_embed_dim = 0, projection_class_embeddings_input_dim = 0;

  std::size_t levels() const { return block_out_channels.size(); }
  bool is_xl() const { return addition_time_embed_dim > 0; }
  std::int64_t pooled_channels() const { return projection_class_embeddings_input_dim - 6 * addition_time_embed_dim; }
  std::int64_t time_channels() const { return time_embedding_dim > 0 ? time_embedding_dim : 4 * block_out_channels[0]; }

  // Absent keys take diffusers' defaults. ConfigError naming the field whose value is not supported; `subject` opens
  // it.
  static UNetConfig from_json(const nlohmann::json& object, const std::string& subject);
  nlohmann::json to_json() const;  // a config.json that diffusers loads

  // ConfigError naming the field unless all lists fit the number of levels.
  void validate(const std::string& subject) const;
};

}  // namespace domainfusion
