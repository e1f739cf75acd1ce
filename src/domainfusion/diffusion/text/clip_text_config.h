#pragma once
// Shape of a CLIP text encoder: the fields of transformers' text_encoder/config.json.

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace domainfusion {

struct ClipTextConfig {
  std::int64_t vocab_size = 49408;
  std::int64_t hidden_size = 512;
  std::int64_t intermediate_size = 2048;
  std::int64_t num_hidden_layers = 12;
  std::int64_t num_attention_heads = 8;  // divides hidden_size
  std::int64_t max_position_embeddings = 77;
  double layer_norm_eps = 1e-5;
  std::int64_t projection_dim = 0;        // of CLIPTextModelWithProjection; 0: a CLIPTextModel, without it
  std::string hidden_act = "quick_gelu";  // or "gelu" (exact)
  std::int64_t bos_token_id = 49406, eos_token_id = 49407, pad_token_id = 49407;  // kept for the file; not used here

  // Absent keys take transformers' defaults. ConfigError naming the field whose value is not supported.
  static ClipTextConfig from_json(const nlohmann::json& object, const std::string& subject);
  nlohmann::json to_json() const;  // a config.json that transformers loads
};

}  // namespace domainfusion
