#pragma once
// Encoder and decoder of AutoencoderTiny (TAESD, Bohan 2023), with diffusers' submodule names: plain convolutions and
// rectifiers, without norms and attention.

#include <torch/nn/module.h>
#include <torch/nn/pimpl.h>

#include <vector>

#include "domainfusion/diffusion/vae/autoencoder_config.h"
#include "domainfusion/nn/layers/conv_2d.h"

namespace domainfusion {

// relu(conv(relu(conv(relu(conv(x))))) + x).
class TinyBlockImpl : public torch::nn::Module {
 public:
  explicit TinyBlockImpl(std::int64_t channels);
  at::Tensor forward(const at::Tensor& x_NChw);  // same shape

 private:
  Conv2d first_, second_, third_;
};
TORCH_MODULE(TinyBlock);

class TinyEncoderImpl : public torch::nn::Module {
 public:
  explicit TinyEncoderImpl(const AutoencoderConfig& config);
  // image11 [N, in_channels, H, W] in [-1, 1] -> latents [N, latent_channels, H/f, W/f].
  at::Tensor forward(const at::Tensor& image11_NCHW);

 private:
  Conv2d conv_in_{nullptr}, conv_out_{nullptr};
  std::vector<Conv2d> halvings_;  // before each level but the first
  std::vector<std::vector<TinyBlock>> levels_;
};
TORCH_MODULE(TinyEncoder);

class TinyDecoderImpl : public torch::nn::Module {
 public:
  explicit TinyDecoderImpl(const AutoencoderConfig& config);
  // [N, latent_channels, h, w] -> image11 [N, out_channels, f h, f w]; latents are bent to (-3, 3) first.
  at::Tensor forward(const at::Tensor& latent_NChw);

 private:
  Conv2d conv_in_{nullptr};
  std::vector<std::vector<TinyBlock>> levels_;
  std::vector<Conv2d> convs_;  // behind each level, enlarging first but for the last
};
TORCH_MODULE(TinyDecoder);

}  // namespace domainfusion
