#pragma once
// A latent diffusion model small enough for tests: 16 px images, 4x4x4 latents, fixed weights, any float dtype.

#include <torch/types.h>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/distillation/curves/latent_gradient.h"

namespace domainfusion {

inline at::Tensor tiny_weights(std::initializer_list<std::int64_t> sizes, int seed, at::ScalarType dtype) {
  RandomStream stream(static_cast<std::uint64_t>(seed), "tiny teacher");
  const at::Tensor values = normal_tensor(stream, sizes);
  return (values / std::sqrt(static_cast<double>(values[0].numel()))).to(dtype);
}

inline const std::vector<std::string> kTinyClasses = {"dog", "guitar", "house"};

// The encoder has a convolution, a group norm (4 channels a group) and a non-linearity, as a VAE has, so z(p) is
// curved. `roughness` adds a fast oscillation in the brightness, which no small number of nodes can follow.
inline LdmFunctions tiny_ldm(at::ScalarType dtype = torch::kFloat64, double roughness = 0) {
  const at::Tensor in = tiny_weights({8, 3, 4, 4}, 1, dtype), out = tiny_weights({4, 8, 1, 1}, 2, dtype);
  const at::Tensor unet_in = tiny_weights({16, 4, 3, 3}, 3, dtype), unet_out = tiny_weights({4, 16, 3, 3}, 4, dtype);
  const at::Tensor words = tiny_weights({64, 4}, 5, dtype);
  LdmFunctions ldm;
  ldm.image_size_px = 16;
  ldm.alphas_cumprod = (1 - torch::linspace(1e-4, 0.02, 1000, torch::kFloat64)).cumprod(0);
  ldm.encode = [=](const at::Tensor& image01) {
    const at::Tensor x = 2 * image01.to(dtype) - 1;
    const at::Tensor hidden = torch::group_norm(torch::conv2d(x, in, {}, 4), 2, {}, {}, 1e-2);
    const at::Tensor z = torch::conv2d(torch::silu(hidden), out);
    return z + roughness * torch::sin(400 * image01.to(dtype).mean({1, 2, 3}, true)) * torch::ones_like(z);
  };
  ldm.predict_epsilon = [=](const at::Tensor& z_t, const at::Tensor& t_N, const at::Tensor& condition) {
    const at::Tensor time = (t_N.to(dtype) / 1000).reshape({-1, 1, 1, 1});
    const at::Tensor words_here = condition.sum(1).reshape({-1, 4, 1, 1});
    return torch::conv2d(torch::tanh(torch::conv2d(z_t + 0.3 * words_here + time, unet_in, {}, 1, 1)), unet_out, {}, 1,
                         1);
  };
  ldm.embed = [=](const std::vector<std::string>& prompts) {
    std::vector<at::Tensor> all;
    for (const std::string& prompt : prompts) {
      std::size_t sum = prompt.size();
      for (char c : prompt) sum = sum * 31 + static_cast<unsigned char>(c);
      all.push_back(words.narrow(0, static_cast<std::int64_t>(sum % 62), 2));
    }
    return torch::stack(all);
  };
  return ldm;
}

// Smooth random images, one per key.
inline ImageSource tiny_images() {
  return [](const std::vector<ImageKey>& keys) {
    std::vector<at::Tensor> coarse;
    for (const ImageKey& key : keys) {
      RandomStream stream(9, "tiny image",
                          {static_cast<std::uint64_t>(key.domain), static_cast<std::uint64_t>(key.index)});
      coarse.push_back(normal_tensor(stream, {3, 4, 4}));
    }
    return torch::upsample_bilinear2d(torch::stack(coarse), std::vector<std::int64_t>{16, 16}, false).sigmoid();
  };
}

inline std::vector<LabelledKey> tiny_keys(std::int64_t count, std::int64_t classes = 3) {
  std::vector<LabelledKey> keys;
  for (std::int64_t i = 0; i < count; ++i) keys.push_back({{i % 2, i / 2}, i % classes});
  return keys;
}

}  // namespace domainfusion
