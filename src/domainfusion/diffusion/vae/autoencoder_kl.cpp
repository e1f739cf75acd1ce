#include "domainfusion/diffusion/vae/autoencoder_kl.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include <algorithm>
#include <array>
#include <utility>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/vae/tiling.h"

namespace domainfusion {
namespace {

// As diffusers. AutoencoderTiny has no posterior: the least variance stands for none.
constexpr double kLeastLogVariance = -30, kLargestLogVariance = 20;

}  // namespace

at::Tensor LatentPosterior::sample(const at::Tensor& noise_NChw) const {
  return mean_NChw + at::exp(0.5 * log_variance_NChw) * noise_NChw;
}

AutoencoderKlImpl::AutoencoderKlImpl(const AutoencoderConfig& config) : config_(config) {
  if (config.is_tiny()) {
    tiny_encoder_ = register_module("encoder", TinyEncoder(config));
    tiny_decoder_ = register_module("decoder", TinyDecoder(config));
    return;
  }
  encoder_ = register_module("encoder", Encoder(config));
  decoder_ = register_module("decoder", Decoder(config));
  const std::int64_t channels = config.latent_channels;
  quant_conv_ = register_module("quant_conv", Conv2d(one_by_one(2 * channels, 2 * channels)));
  post_quant_conv_ = register_module("post_quant_conv", Conv2d(one_by_one(channels, channels)));
}

LatentPosterior AutoencoderKlImpl::encode(const at::Tensor& image11_NCHW) {
  const std::int64_t factor = config_.downsampling_factor();
  check<ShapeError>(image11_NCHW.dim() == 4 && image11_NCHW.size(1) == config_.in_channels &&
                        image11_NCHW.size(2) % factor == 0 && image11_NCHW.size(3) % factor == 0,
                    "image batch [{}]: expected [N, {}, H, W] with H and W multiples of {}",
                    fmt::join(image11_NCHW.sizes(), ", "), config_.in_channels, factor);
  const bool tiled = tile_px_ > 0 && std::max(image11_NCHW.size(2), image11_NCHW.size(3)) > tile_px_;
  const auto map = [this](const at::Tensor& tile) { return moments(tile); };
  const at::Tensor both =
      tiled ? map_in_tiles(image11_NCHW, {.in = tile_px_, .out = tile_px_ / factor}, map) : map(image11_NCHW);
  const auto halves = both.chunk(2, 1);
  return {halves[0], halves[1].clamp(kLeastLogVariance, kLargestLogVariance)};
}

at::Tensor AutoencoderKlImpl::decode(const at::Tensor& latent_NChw) {
  check<ShapeError>(latent_NChw.dim() == 4 && latent_NChw.size(1) == config_.latent_channels,
                    "latents [{}]: expected [N, {}, h, w]", fmt::join(latent_NChw.sizes(), ", "),
                    config_.latent_channels);
  const std::int64_t tile = tile_px_ / config_.downsampling_factor();
  const bool tiled = tile > 0 && std::max(latent_NChw.size(2), latent_NChw.size(3)) > tile;
  const auto map = [this](const at::Tensor& part) { return image(part); };
  return tiled ? map_in_tiles(latent_NChw, {.in = tile, .out = tile_px_}, map) : map(latent_NChw);
}

at::Tensor AutoencoderKlImpl::moments(const at::Tensor& image11_NCHW) {
  if (!config_.is_tiny()) return quant_conv_(encoder_(image11_NCHW));
  const at::Tensor latents = tiny_encoder_(image11_NCHW);
  return at::cat({latents, at::full_like(latents, kLeastLogVariance)}, 1);
}

at::Tensor AutoencoderKlImpl::image(const at::Tensor& latent_NChw) {
  return config_.is_tiny() ? tiny_decoder_(latent_NChw) : decoder_(post_quant_conv_(latent_NChw));
}

void AutoencoderKlImpl::use_tiles(std::int64_t tile_px) {
  config_.check_tiles(tile_px);
  tile_px_ = tile_px;
}

TensorMap with_zero_biases(TensorMap weights) {
  constexpr std::string_view kWeight = ".weight";
  TensorMap biases;
  for (const auto& [name, tensor] : weights) {
    if (!name.ends_with(kWeight) || tensor.dim() != 4) continue;
    const std::string bias = name.substr(0, name.size() - kWeight.size()) + ".bias";
    if (!weights.contains(bias)) biases[bias] = at::zeros({tensor.size(0)}, tensor.options());
  }
  weights.merge(biases);
  return weights;
}

TensorMap with_current_attention_names(TensorMap weights) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kNames{
      {{".query.", ".to_q."}, {".key.", ".to_k."}, {".value.", ".to_v."}, {".proj_attn.", ".to_out.0."}}};
  TensorMap renamed;
  for (auto& [name, tensor] : weights) {
    std::string current = name;
    for (const auto& [old_name, new_name] : kNames) {
      const auto at = current.find(old_name);
      if (at != std::string::npos && current.find(".attentions.") != std::string::npos) {
        current.replace(at, old_name.size(), new_name);
      }
    }
    check<FormatError>(renamed.emplace(current, tensor).second, "weights hold '{}' under its old and its new name",
                       current);
  }
  return renamed;
}

}  // namespace domainfusion
