#include "domainfusion/diffusion/text/clip_text_encoder.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/container/modulelist.h>
#include <torch/nn/modules/normalization.h>
#include <torch/types.h>

#include <limits>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/layers/attention.h"

namespace domainfusion {
namespace {

// A level of the state dict's names without a computation of its own.
struct NamedGroup : torch::nn::Module {
  void add(const char* name, std::shared_ptr<torch::nn::Module> module) { register_module(name, std::move(module)); }
};

torch::nn::LayerNorm clip_layer_norm(const ClipTextConfig& c) {
  return torch::nn::LayerNorm(torch::nn::LayerNormOptions({c.hidden_size}).eps(c.layer_norm_eps));
}

// 0 on and below the diagonal, -inf above: a token attends to itself and to what stands before it.
at::Tensor causal_mask(std::int64_t length, const at::Tensor& like) {
  return at::full({length, length}, -std::numeric_limits<float>::infinity(), like.options()).triu_(1);
}

}  // namespace

ClipTextLayerImpl::ClipTextLayerImpl(const ClipTextConfig& c)
    : heads_(c.num_attention_heads),
      quick_gelu_(c.hidden_act == "quick_gelu"),
      layer_norm1_(register_module("layer_norm1", clip_layer_norm(c))),
      layer_norm2_(register_module("layer_norm2", clip_layer_norm(c))),
      q_proj_(c.hidden_size, c.hidden_size),
      k_proj_(c.hidden_size, c.hidden_size),
      v_proj_(c.hidden_size, c.hidden_size),
      out_proj_(c.hidden_size, c.hidden_size),
      fc1_(c.hidden_size, c.intermediate_size),
      fc2_(c.intermediate_size, c.hidden_size) {
  const auto attention = register_module("self_attn", std::make_shared<NamedGroup>());
  attention->add("q_proj", q_proj_.ptr());
  attention->add("k_proj", k_proj_.ptr());
  attention->add("v_proj", v_proj_.ptr());
  attention->add("out_proj", out_proj_.ptr());
  const auto mlp = register_module("mlp", std::make_shared<NamedGroup>());
  mlp->add("fc1", fc1_.ptr());
  mlp->add("fc2", fc2_.ptr());
}

at::Tensor ClipTextLayerImpl::forward(const at::Tensor& x_NLC, const at::Tensor& mask_LL) {
  const at::Tensor normed = layer_norm1_(x_NLC);
  const at::Tensor x = x_NLC + out_proj_(attend(q_proj_(normed), k_proj_(normed), v_proj_(normed), heads_, mask_LL));
  const at::Tensor h = fc1_(layer_norm2_(x));
  return x + fc2_(quick_gelu_ ? h * at::sigmoid(1.702 * h) : at::gelu(h));
}

ClipTextEncoderImpl::ClipTextEncoderImpl(const ClipTextConfig& config)
    : config_(config),
      token_embedding_(config.vocab_size, config.hidden_size),
      position_embedding_(config.max_position_embeddings, config.hidden_size),
      final_layer_norm_(clip_layer_norm(config)) {
  const auto model = register_module("text_model", std::make_shared<NamedGroup>());
  const auto embeddings = std::make_shared<NamedGroup>();
  embeddings->add("token_embedding", token_embedding_.ptr());
  embeddings->add("position_embedding", position_embedding_.ptr());
  model->add("embeddings", embeddings);
  const auto encoder = std::make_shared<NamedGroup>();
  torch::nn::ModuleList list;
  for (std::int64_t i = 0; i < config.num_hidden_layers; ++i) {
    layers_.push_back(ClipTextLayer(config));
    list->push_back(layers_.back());
  }
  encoder->add("layers", list.ptr());
  model->add("encoder", encoder);
  model->add("final_layer_norm", final_layer_norm_.ptr());
  if (config.projection_dim > 0) {
    text_projection_ =
        register_module("text_projection", Linear(config.hidden_size, config.projection_dim, /*bias=*/false));
  }
}

void ClipTextEncoderImpl::check_ids(const at::Tensor& ids_NL) const {
  check<ShapeError>(ids_NL.dim() == 2 && ids_NL.size(1) >= 1 && ids_NL.size(1) <= config_.max_position_embeddings,
                    "token ids [{}]: expected [N, 1 … {}]", fmt::join(ids_NL.sizes(), ", "),
                    config_.max_position_embeddings);
  if (ids_NL.numel() == 0 || !ids_NL.is_cpu()) return;  // to look at values on a GPU is to wait for it
  const std::int64_t low = ids_NL.min().item<std::int64_t>(), high = ids_NL.max().item<std::int64_t>();
  check<ShapeError>(
      low >= 0 && high < config_.vocab_size,
      "token ids {} … {}: the text encoder has a vocabulary of {}; tokenizer and text encoder do not belong "
      "together",
      low, high, config_.vocab_size);
}

ClipTextOutput ClipTextEncoderImpl::forward(const at::Tensor& given_ids_NL) {
  check_ids(given_ids_NL);
  const at::Tensor ids_NL = given_ids_NL.to(token_embedding_->weight.device());
  const std::int64_t length = ids_NL.size(1);
  ClipTextOutput output;
  at::Tensor x = token_embedding_(ids_NL) + position_embedding_->weight.slice(0, 0, length);
  output.hidden_states_NLC.push_back(x);
  const at::Tensor mask_LL = causal_mask(length, x.detach());
  for (ClipTextLayer& layer : layers_) {
    x = layer(x, mask_LL);
    output.hidden_states_NLC.push_back(x);
  }
  output.last_hidden_state_NLC = final_layer_norm_(x);
  const at::Tensor end_N = ids_NL.argmax(1);
  output.pooled_NC = output.last_hidden_state_NLC.index({at::arange(ids_NL.size(0), end_N.options()), end_N});
  if (text_projection_) output.projected_NP = text_projection_(output.pooled_NC);
  return output;
}

}  // namespace domainfusion
