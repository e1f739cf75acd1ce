#pragma once
// Writes the reference pipelines in CompVis' layout: the inverse of what the program reads, by rules of its own.

#include <torch/types.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>

#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

struct RenameRule {
  std::string from, to;
};

inline std::string renamed(std::string name, const std::vector<RenameRule>& rules) {
  for (const RenameRule& rule : rules) name = std::regex_replace(name, std::regex(rule.from), rule.to);
  return name;
}

// The reference networks have two residual blocks per level and four levels, the lowest without attention.
inline std::string compvis_unet_name(const std::string& name) {
  std::vector<RenameRule> rules{{"^conv_in\\.", "input_blocks.0.0."},
                                {"^time_embedding\\.linear_1", "time_embed.0"},
                                {"^time_embedding\\.linear_2", "time_embed.2"},
                                {"^conv_norm_out", "out.0"},
                                {"^conv_out", "out.2"},
                                {"^mid_block\\.resnets\\.0", "middle_block.0"},
                                {"^mid_block\\.attentions\\.0", "middle_block.1"},
                                {"^mid_block\\.resnets\\.1", "middle_block.2"}};
  for (int level = 0; level < 4; ++level) {
    for (int layer = 0; layer < 3; ++layer) {
      const auto rule = [&](const std::string& from, const std::string& to) {
        rules.push_back({fmt::format("^{}_blocks\\.{}\\.{}\\.{}", from, level, to, layer), ""});
      };
      rule("down", "resnets");
      rules.back().to = fmt::format("input_blocks.{}.0", 1 + 3 * level + layer);
      rule("down", "attentions");
      rules.back().to = fmt::format("input_blocks.{}.1", 1 + 3 * level + layer);
      rule("up", "resnets");
      rules.back().to = fmt::format("output_blocks.{}.0", 3 * level + layer);
      rule("up", "attentions");
      rules.back().to = fmt::format("output_blocks.{}.1", 3 * level + layer);
    }
    rules.push_back({fmt::format("^down_blocks\\.{}\\.downsamplers\\.0\\.conv", level),
                     fmt::format("input_blocks.{}.0.op", 3 * level + 3)});
    rules.push_back({fmt::format("^up_blocks\\.{}\\.upsamplers\\.0\\.conv", level),
                     fmt::format("output_blocks.{}.{}.conv", 3 * level + 2, level == 0 ? 1 : 2)});
  }
  std::string block = renamed(name, rules);
  if (std::regex_search(block, std::regex("^(input|output)_blocks\\.\\d+\\.0\\.|^middle_block\\.[02]\\."))) {
    block = renamed(block, {{"\\.norm1\\.", ".in_layers.0."},
                            {"\\.conv1\\.", ".in_layers.2."},
                            {"\\.time_emb_proj\\.", ".emb_layers.1."},
                            {"\\.norm2\\.", ".out_layers.0."},
                            {"\\.conv2\\.", ".out_layers.3."},
                            {"\\.conv_shortcut\\.", ".skip_connection."}});
  }
  return "model.diffusion_model." + block;
}

inline std::string compvis_vae_name(const std::string& name) {
  std::vector<RenameRule> rules{{"conv_shortcut", "nin_shortcut"},
                                {"conv_norm_out", "norm_out"},
                                {"mid_block\\.resnets\\.0", "mid.block_1"},
                                {"mid_block\\.resnets\\.1", "mid.block_2"},
                                {"mid_block\\.attentions\\.0\\.group_norm", "mid.attn_1.norm"},
                                {"mid_block\\.attentions\\.0\\.to_out\\.0", "mid.attn_1.proj_out"},
                                {"mid_block\\.attentions\\.0\\.to_", "mid.attn_1."},
                                {"down_blocks\\.(\\d)\\.resnets\\.(\\d)", "down.$1.block.$2"},
                                {"down_blocks\\.(\\d)\\.downsamplers\\.0", "down.$1.downsample"}};
  for (int level = 0; level < 4; ++level) {
    rules.push_back({fmt::format("up_blocks\\.{}\\.resnets", level), fmt::format("up.{}.block", 3 - level)});
    rules.push_back({fmt::format("up_blocks\\.{}\\.upsamplers\\.0", level), fmt::format("up.{}.upsample", 3 - level)});
  }
  return "first_stage_model." + renamed(name, rules);
}

// Whose file it is: OpenCLIP's own holds one more layer than is used, and the projection behind it; a file that
// diffusers' converter made of a folder does not.
enum class OpenClipFile { kOwn, kFromDiffusers };

// The layers of a text encoder as OpenCLIP names them.
inline TensorMap open_clip_tensors(const TensorMap& text, int layers, OpenClipFile kind = OpenClipFile::kOwn) {
  const std::string root = "cond_stage_model.model.";
  TensorMap made{{root + "positional_embedding", text.at("text_model.embeddings.position_embedding.weight")},
                 {root + "token_embedding.weight", text.at("text_model.embeddings.token_embedding.weight")}};
  if (kind == OpenClipFile::kOwn) {
    made[root + "text_projection"] = torch::ones({4, 4});
    made[root + "logit_scale"] = torch::ones({});
  } else {
    made[root + "transformer.text_model.embeddings.position_ids"] = torch::arange(77).unsqueeze(0);
  }
  const int last = kind == OpenClipFile::kOwn ? layers : layers - 1;
  for (const char* kind : {"weight", "bias"}) {
    const std::string end = std::string(".") + kind;
    made[root + "ln_final" + end] = text.at("text_model.final_layer_norm" + end);
    for (int layer = 0; layer <= last; ++layer) {
      const std::string from = fmt::format("text_model.encoder.layers.{}.", std::min(layer, layers - 1));
      const std::string to = fmt::format("{}transformer.resblocks.{}.", root, layer);
      made[to + "ln_1" + end] = text.at(from + "layer_norm1" + end);
      made[to + "ln_2" + end] = text.at(from + "layer_norm2" + end);
      made[to + "mlp.c_fc" + end] = text.at(from + "mlp.fc1" + end);
      made[to + "mlp.c_proj" + end] = text.at(from + "mlp.fc2" + end);
      made[to + "attn.out_proj" + end] = text.at(from + "self_attn.out_proj" + end);
      made[to + "attn.in_proj_" + kind] =
          torch::cat({text.at(from + "self_attn.q_proj" + end), text.at(from + "self_attn.k_proj" + end),
                      text.at(from + "self_attn.v_proj" + end)});
    }
  }
  return made;
}

// All tensors of the diffusers folder `pipeline` in CompVis' layout, with what else such files hold.
inline TensorMap compvis_tensors(const std::filesystem::path& pipeline, bool open_clip) {
  TensorMap made{
      {"model_ema.decay", torch::ones({})}, {"betas", torch::ones({3})}, {"alphas_cumprod", torch::ones({3})}};
  for (const auto& [name, tensor] : load_tensors(pipeline / "unet/diffusion_pytorch_model.safetensors")) {
    made[compvis_unet_name(name)] = tensor;
  }
  const auto vae = with_current_attention_names(load_tensors(pipeline / "vae/diffusion_pytorch_model.safetensors"));
  for (const auto& [name, tensor] : vae) {
    const bool convolution = name.find(".to_") != std::string::npos && tensor.dim() == 2;
    made[compvis_vae_name(name)] = convolution ? tensor.unsqueeze(2).unsqueeze(3) : tensor;
  }
  const TensorMap text = load_tensors(pipeline / "text_encoder/model.safetensors");
  if (open_clip) {
    made.merge(open_clip_tensors(text, 2));
  } else {
    for (const auto& [name, tensor] : text) made["cond_stage_model.transformer." + name] = tensor;
  }
  return made;
}

inline void change_json(const std::filesystem::path& path, const nlohmann::json& changes) {
  nlohmann::json object = nlohmann::json::parse(std::ifstream(path));
  object.update(changes);
  std::ofstream(path) << object;
}

// A copy of the reference pipeline with the heads and groups that the built-in configuration gives networks of its
// sizes.
inline void copy_pipeline(const std::filesystem::path& pipeline, const std::filesystem::path& target, bool open_clip) {
  std::filesystem::copy(pipeline, target, std::filesystem::copy_options::recursive);
  const nlohmann::json heads = open_clip ? nlohmann::json::array({1, 1, 1, 1}) : nlohmann::json(8);
  change_json(target / "unet/config.json", {{"attention_head_dim", heads}, {"norm_num_groups", 8}});
  change_json(target / "text_encoder/config.json", {{"num_attention_heads", 1}});
}

}  // namespace domainfusion
