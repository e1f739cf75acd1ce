#pragma once
// What distillation needs of a frozen latent diffusion model, as functions: a loaded model, or a closed form in tests.

#include <ATen/core/Tensor.h>

#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace domainfusion {

struct LdmFunctions {
  // image01 [N, 3, H, W] in [0, 1] (a little outside is allowed) -> z [N, C, h, w] = scaling_factor * posterior mean of
  // E(2x - 1). Differentiable in its argument; treats the images of a batch independently.
  std::function<at::Tensor(const at::Tensor& image01_N3HW)> encode;
  // (z_t [N, C, h, w], t [N] int64, condition [N, tokens, width]) -> eps_hat [N, C, h, w]. Differentiable in z_t.
  std::function<at::Tensor(const at::Tensor& z_t_NChw, const at::Tensor& t_N, const at::Tensor& condition)>
      predict_epsilon;
  // prompts -> [N, tokens, width]
  std::function<at::Tensor(const std::vector<std::string>& prompts)> embed;
  at::Tensor alphas_cumprod;  // [T] float64 CPU
  std::int64_t image_size_px = 0;
  at::Device device = at::kCPU;  // images, latents and conditions live there
};

// An image of the training set: its domain and its index there.
struct ImageKey {
  std::int64_t domain = 0, index = 0;
  auto operator<=>(const ImageKey&) const = default;
};
struct LabelledKey {
  ImageKey key;
  std::int64_t label = 0;
};

// The plain images of some keys: float32 [N, 3, image_size_px, image_size_px] in [0, 1], CPU.
using ImageSource = std::function<at::Tensor(const std::vector<ImageKey>& keys)>;

// The images of `keys` on `device`. ShapeError that names the first key unless they are [N, 3, size_px, size_px].
at::Tensor plain_images(const ImageSource& source, const std::vector<ImageKey>& keys, std::int64_t size_px,
                        at::Device device);

}  // namespace domainfusion
