#pragma once
// The text encoder of CLIP (Radford et al. 2021; transformers' CLIPTextModel): a causal transformer over token ids.

#include <torch/nn/module.h>
#include <torch/nn/modules/embedding.h>
#include <torch/nn/modules/normalization.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/diffusion/text/clip_text_config.h"
#include "domainfusion/nn/layers/linear.h"

namespace domainfusion {

class ClipTextLayerImpl : public torch::nn::Module {
 public:
  explicit ClipTextLayerImpl(const ClipTextConfig& config);
  at::Tensor forward(const at::Tensor& x_NLC, const at::Tensor& mask_LL);  // same shape

 private:
  std::int64_t heads_;
  bool quick_gelu_;
  torch::nn::LayerNorm layer_norm1_, layer_norm2_;
  Linear q_proj_, k_proj_, v_proj_, out_proj_, fc1_, fc2_;
};
TORCH_MODULE(ClipTextLayer);

struct ClipTextOutput {
  at::Tensor last_hidden_state_NLC;           // after the final layer norm: what the U-Net is conditioned on
  at::Tensor pooled_NC;                       // last_hidden_state at the highest id of each row (the end token)
  at::Tensor projected_NP;                    // pooled, projected; undefined without a projection
  std::vector<at::Tensor> hidden_states_NLC;  // the embeddings, then the output of each layer
};

class ClipTextEncoderImpl : public torch::nn::Module {
 public:
  explicit ClipTextEncoderImpl(const ClipTextConfig& config);
  // ids int64 [N, L], L <= max_position_embeddings, 0 <= id < vocab_size, else ShapeError.
  ClipTextOutput forward(const at::Tensor& ids_NL);
  const ClipTextConfig& config() const { return config_; }

 private:
  void check_ids(const at::Tensor& ids_NL) const;

  ClipTextConfig config_;
  torch::nn::Embedding token_embedding_, position_embedding_;
  std::vector<ClipTextLayer> layers_;
  torch::nn::LayerNorm final_layer_norm_;
  Linear text_projection_{nullptr};
};
TORCH_MODULE(ClipTextEncoder);

}  // namespace domainfusion
