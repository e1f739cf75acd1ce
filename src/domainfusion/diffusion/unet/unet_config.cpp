#include "domainfusion/diffusion/unet/unet_config.h"

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"

namespace domainfusion {

using nlohmann::json;

namespace {

// Features of other U-Nets of the family: each must be absent or switched off.
void refuse_other_features(ModelConfigReader& reader) {
  for (const char* key :
       {"num_attention_heads", "class_embed_type", "num_class_embeds", "encoder_hid_dim", "encoder_hid_dim_type",
        "time_embedding_act_fn", "timestep_post_act", "cross_attention_norm", "reverse_transformer_layers_per_block"}) {
    reader.only(key, {nullptr});
  }
  for (const char* key :
       {"dual_cross_attention", "resnet_skip_time_act", "class_embeddings_concat", "only_cross_attention"}) {
    reader.only(key, {false});
  }
  reader.only("mid_block_only_cross_attention", {nullptr, false});
  reader.only("mid_block_type", {"UNetMidBlock2DCrossAttn"});
  reader.only("act_fn", {"silu", "swish"});
  reader.only("attention_type", {"default"});
  reader.only("time_embedding_type", {"positional"});
  reader.only("resnet_time_scale_shift", {"default"});
  reader.only("resnet_out_scale_factor", {1.0});
  reader.only("mid_block_scale_factor", {1.0});
  reader.only("dropout", {0.0});
  reader.only("conv_in_kernel", {3});
  reader.only("conv_out_kernel", {3});
  reader.ignore({"addition_embed_type_num_heads"});  // belongs to addition_embed_type
}

// SDXL's: pooled text and six sizes beside the time step.
void read_addition(ModelConfigReader& reader, const json& object, UNetConfig& c) {
  reader.only("addition_embed_type", {nullptr, "text_time"});
  const bool text_time = object.value("addition_embed_type", json()) == "text_time";
  if (!text_time) {
    reader.only("addition_time_embed_dim", {nullptr});
    reader.only("projection_class_embeddings_input_dim", {nullptr});
    return;
  }
  c.addition_time_embed_dim = reader.integers("addition_time_embed_dim", {0}, 1, 1 << 16).front();
  c.projection_class_embeddings_input_dim = reader.integers("projection_class_embeddings_input_dim", {0}).front();
  if (c.addition_time_embed_dim < 1) reader.refuse("addition_time_embed_dim", "a width, with text_time");
  if (c.pooled_channels() < 1)
    reader.refuse("projection_class_embeddings_input_dim", "more than six times addition_time_embed_dim");
}

void check_names(const std::vector<std::string>& names, const std::vector<std::string>& known, std::size_t levels,
                 const char* key, const std::string& subject) {
  check<ConfigError>(names.size() == levels, "{}: {} has {} entries; block_out_channels has {}", subject, key,
                     names.size(), levels);
  for (const std::string& name : names) {
    check<ConfigError>(std::find(known.begin(), known.end(), name) != known.end(),
                       "{}: {} = '{}' is not supported; expected {}", subject, key, name, fmt::join(known, " or "));
  }
}

}  // namespace

UNetConfig UNetConfig::from_json(const json& object, const std::string& subject) {
  ModelConfigReader reader(object, subject);
  UNetConfig c;
  const std::vector<std::int64_t> size = reader.integers("sample_size", {0});
  if (size.back() != size.front() || size.size() > 2) reader.refuse("sample_size", "one number (square latents)");
  c.sample_size = size.front();
  c.in_channels = reader.integer("in_channels", c.in_channels, 1);
  c.out_channels = reader.integer("out_channels", c.out_channels, 1);
  c.center_input_sample = reader.boolean("center_input_sample", c.center_input_sample);
  c.flip_sin_to_cos = reader.boolean("flip_sin_to_cos", c.flip_sin_to_cos);
  c.freq_shift = reader.real("freq_shift", c.freq_shift, 0, 1);
  c.down_block_types = reader.texts("down_block_types", c.down_block_types);
  c.up_block_types = reader.texts("up_block_types", c.up_block_types);
  c.block_out_channels = reader.integers("block_out_channels", c.block_out_channels);
  c.layers_per_block = reader.integers("layers_per_block", c.layers_per_block, 1, 64);
  c.transformer_layers_per_block =
      reader.integers("transformer_layers_per_block", c.transformer_layers_per_block, 1, 64);
  c.attention_head_dim = reader.integers("attention_head_dim", c.attention_head_dim);
  const std::vector<std::int64_t> context = reader.integers("cross_attention_dim", {c.cross_attention_dim});
  if (context.size() != 1) reader.refuse("cross_attention_dim", "one number for all levels");
  c.cross_attention_dim = context.front();
  c.downsample_padding = reader.integer("downsample_padding", c.downsample_padding, 0, 1);
  c.norm_num_groups = reader.integer("norm_num_groups", c.norm_num_groups, 1);
  c.norm_eps = reader.real("norm_eps", c.norm_eps, 0, 1);
  c.use_linear_projection = reader.boolean("use_linear_projection", c.use_linear_projection);
  c.upcast_attention = reader.boolean("upcast_attention", c.upcast_attention);
  c.time_embedding_dim = reader.integers("time_embedding_dim", {0}).front();
  c.time_cond_proj_dim = reader.integers("time_cond_proj_dim", {0}, 4).front();
  read_addition(reader, object, c);
  refuse_other_features(reader);
  reader.finish();
  c.validate(subject);
  return c;
}

void UNetConfig::validate(const std::string& subject) const {
  check_names(down_block_types, {"CrossAttnDownBlock2D", "DownBlock2D"}, levels(), "down_block_types", subject);
  check_names(up_block_types, {"CrossAttnUpBlock2D", "UpBlock2D"}, levels(), "up_block_types", subject);
  const auto check_count = [&](const char* key, const std::vector<std::int64_t>& values) {
    check<ConfigError>(values.size() == 1 || values.size() == levels(),
                       "{}: {} has {} entries; expected 1 or {} (as block_out_channels)", subject, key, values.size(),
                       levels());
  };
  check_count("layers_per_block", layers_per_block);
  check_count("transformer_layers_per_block", transformer_layers_per_block);
  check_count("attention_head_dim", attention_head_dim);
}

json UNetConfig::to_json() const {
  json object = {{"_class_name", "UNet2DConditionModel"},
                 {"sample_size", sample_size > 0 ? json(sample_size) : json(nullptr)},
                 {"in_channels", in_channels},
                 {"out_channels", out_channels},
                 {"center_input_sample", center_input_sample},
                 {"flip_sin_to_cos", flip_sin_to_cos},
                 {"freq_shift", freq_shift},
                 {"down_block_types", down_block_types},
                 {"up_block_types", up_block_types},
                 {"block_out_channels", block_out_channels},
                 {"layers_per_block", number_or_list(layers_per_block)},
                 {"transformer_layers_per_block", number_or_list(transformer_layers_per_block)},
                 {"attention_head_dim", number_or_list(attention_head_dim)},
                 {"cross_attention_dim", cross_attention_dim},
                 {"downsample_padding", downsample_padding},
                 {"norm_num_groups", norm_num_groups},
                 {"norm_eps", norm_eps},
                 {"use_linear_projection", use_linear_projection},
                 {"upcast_attention", upcast_attention},
                 {"act_fn", "silu"}};
  if (time_embedding_dim > 0) object["time_embedding_dim"] = time_embedding_dim;
  if (time_cond_proj_dim > 0) object["time_cond_proj_dim"] = time_cond_proj_dim;
  if (is_xl()) {
    object["addition_embed_type"] = "text_time";
    object["addition_time_embed_dim"] = addition_time_embed_dim;
    object["projection_class_embeddings_input_dim"] = projection_class_embeddings_input_dim;
  }
  return object;
}

}  // namespace domainfusion
