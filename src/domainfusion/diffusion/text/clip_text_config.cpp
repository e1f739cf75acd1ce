#include "domainfusion/diffusion/text/clip_text_config.h"

#include <algorithm>

#include "domainfusion/config/model_config.h"

namespace domainfusion {

using nlohmann::json;

ClipTextConfig ClipTextConfig::from_json(const json& object, const std::string& subject) {
  ModelConfigReader reader(object, subject);
  ClipTextConfig c;
  c.vocab_size = reader.integer("vocab_size", c.vocab_size, 1, 1 << 24);
  c.hidden_size = reader.integer("hidden_size", c.hidden_size, 1);
  c.intermediate_size = reader.integer("intermediate_size", c.intermediate_size, 1);
  c.num_hidden_layers = reader.integer("num_hidden_layers", c.num_hidden_layers, 1, 1024);
  c.num_attention_heads = reader.integer("num_attention_heads", c.num_attention_heads, 1);
  c.max_position_embeddings = reader.integer("max_position_embeddings", c.max_position_embeddings, 2);
  c.layer_norm_eps = reader.real("layer_norm_eps", c.layer_norm_eps, 0, 1);
  c.hidden_act = reader.text("hidden_act", c.hidden_act);
  if (c.hidden_act != "quick_gelu" && c.hidden_act != "gelu") reader.refuse("hidden_act", "\"quick_gelu\" or \"gelu\"");
  if (c.hidden_size % c.num_attention_heads != 0) reader.refuse("num_attention_heads", "a divisor of hidden_size");
  c.bos_token_id = reader.integer("bos_token_id", c.bos_token_id, 0, 1 << 24);
  c.eos_token_id = reader.integer("eos_token_id", c.eos_token_id, 0, 1 << 24);
  c.pad_token_id = reader.integer("pad_token_id", c.pad_token_id, 0, 1 << 24);
  const auto with_projection = [](const std::string& name) { return name == "CLIPTextModelWithProjection"; };
  const std::vector<std::string> architectures = reader.texts("architectures", {"CLIPTextModel"});
  const std::int64_t projection_dim = reader.integer("projection_dim", 512, 1);
  if (std::any_of(architectures.begin(), architectures.end(), with_projection)) c.projection_dim = projection_dim;
  reader.only("model_type", {"clip_text_model"});
  // Training-time and bookkeeping.
  reader.ignore({"attention_dropout", "dropout", "dtype", "initializer_factor", "initializer_range", "torch_dtype",
                 "transformers_version"});
  reader.finish();
  return c;
}

json ClipTextConfig::to_json() const {
  return {{"architectures", {projection_dim > 0 ? "CLIPTextModelWithProjection" : "CLIPTextModel"}},
          {"model_type", "clip_text_model"},
          {"vocab_size", vocab_size},
          {"hidden_size", hidden_size},
          {"intermediate_size", intermediate_size},
          {"num_hidden_layers", num_hidden_layers},
          {"num_attention_heads", num_attention_heads},
          {"max_position_embeddings", max_position_embeddings},
          {"layer_norm_eps", layer_norm_eps},
          {"hidden_act", hidden_act},
          {"bos_token_id", bos_token_id},
          {"eos_token_id", eos_token_id},
          {"pad_token_id", pad_token_id},
          {"projection_dim", projection_dim > 0 ? projection_dim : hidden_size}};
}

}  // namespace domainfusion
