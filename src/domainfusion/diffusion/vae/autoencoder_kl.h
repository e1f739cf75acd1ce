#pragma once
// The variational autoencoder between images and latents (diffusers' AutoencoderKL).

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <string_view>

#include "domainfusion/diffusion/vae/autoencoder_blocks.h"
#include "domainfusion/diffusion/vae/autoencoder_config.h"
#include "domainfusion/diffusion/vae/tiny_autoencoder_blocks.h"
#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

// A diagonal Gaussian over latents: mean and log variance (clamped to [-30, 20]), each [N, latent_channels, h, w].
struct LatentPosterior {
  at::Tensor mean_NChw;
  at::Tensor log_variance_NChw;
  // mean + exp(log_variance / 2) * noise.
  at::Tensor sample(const at::Tensor& noise_NChw) const;
};

class AutoencoderKlImpl : public torch::nn::Module {
 public:
  explicit AutoencoderKlImpl(const AutoencoderConfig& config);
  // image11 [N, in_channels, H, W] in [-1, 1] (not clamped); H and W multiples of the downsampling factor, else
  // ShapeError. Not yet multiplied by the scaling factor.
  LatentPosterior encode(const at::Tensor& image11_NCHW);
  // latent [N, latent_channels, h, w], already divided by the scaling factor -> image11 (not clamped).
  at::Tensor decode(const at::Tensor& latent_NChw);
  const AutoencoderConfig& config() const { return config_; }

  // From now on images larger than tile_px (see AutoencoderConfig::check_tiles) pass in tiles of that size: less
  // memory, slightly other results. 0: whole images.
  void use_tiles(std::int64_t tile_px);

 private:
  at::Tensor moments(const at::Tensor& image11_NCHW);
  at::Tensor image(const at::Tensor& latent_NChw);

  AutoencoderConfig config_;
  Encoder encoder_{nullptr};
  Decoder decoder_{nullptr};
  Conv2d quant_conv_{nullptr}, post_quant_conv_{nullptr};
  TinyEncoder tiny_encoder_{nullptr};  // in place of the four above
  TinyDecoder tiny_decoder_{nullptr};
  std::int64_t tile_px_ = 0;
};
TORCH_MODULE(AutoencoderKl);

// Weights of AutoencoderTiny with a bias for every convolution, of zeros where the files hold none.
TensorMap with_zero_biases(TensorMap weights);

// The weights under today's names: the attention names of 2022 files (query, key, value, proj_attn) become to_q, to_k,
// to_v, to_out.0.
TensorMap with_current_attention_names(TensorMap weights);

}  // namespace domainfusion
