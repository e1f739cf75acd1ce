#include "domainfusion/ldm_training/stages/vae_training.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/ldm_training/stages/denoising_loss.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kEncodeBatch = 64;
constexpr double kStartLogVariance = -6;

// mean |horizontal differences| + mean |vertical differences| of the error image.
at::Tensor edge_error(const at::Tensor& error_N3HW) {
  const at::Tensor horizontal = error_N3HW.slice(3, 1) - error_N3HW.slice(3, 0, -1);
  const at::Tensor vertical = error_N3HW.slice(2, 1) - error_N3HW.slice(2, 0, -1);
  return horizontal.abs().mean() + vertical.abs().mean();
}

at::Tensor to_image11(const at::Tensor& bytes) { return bytes.to(torch::kFloat32).div_(127.5).sub_(1); }

at::Tensor to_image01(const at::Tensor& image11) { return image11.div(2).add_(0.5).clamp_(0, 1); }

}  // namespace

at::Tensor vae_loss(AutoencoderKl& vae, const at::Tensor& image11_N3HW, const at::Tensor& noise_NChw,
                    const CompactVaeConfig& config) {
  const LatentPosterior posterior = vae->encode(image11_N3HW);
  const at::Tensor error = vae->decode(posterior.sample(noise_NChw)) - image11_N3HW;
  const at::Tensor& mean = posterior.mean_NChw;
  const at::Tensor& log_variance = posterior.log_variance_NChw;
  const at::Tensor kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean();
  return error.abs().mean() + config.squared_weight * error.square().mean() + config.edge_weight * edge_error(error) +
         config.kl_weight * kl;
}

AutoencoderConfig vae_config_of(const LdmPretrainingConfig& config) {
  AutoencoderConfig vae;
  vae.block_out_channels = config.vae.block_out_channels;
  vae.layers_per_block = config.vae.layers_per_block;
  vae.latent_channels = config.vae.latent_channels;
  vae.norm_num_groups = config.vae.norm_num_groups;
  vae.sample_size_px = config.image_size_px;
  return vae;
}

VaeTraining::VaeTraining(const LdmImages& images, const LdmPretrainingConfig& config)
    : images_(images),
      config_(config),
      vae_(vae_config_of(config)),
      loss_([this](const std::vector<at::Tensor>& in) { return vae_loss(vae_, to_image11(in[0]), in[1], config_.vae); },
            vae_->parameters()) {
  initialise_parameters(*vae_, static_cast<std::uint64_t>(config.seed), "vae");
  start_as_trunk(*vae_);
  vae_->to(device());
  // A posterior as wide as its mean would teach the decoder to ignore the latent for a long time.
  torch::NoGradGuard no_grad;
  vae_->named_parameters()["quant_conv.bias"]
      .narrow(0, config.vae.latent_channels, config.vae.latent_channels)
      .fill_(kStartLogVariance);
}

at::Tensor VaeTraining::loss(std::int64_t step) {
  RandomStream stream(static_cast<std::uint64_t>(config_.seed), "pretrain vae", {static_cast<std::uint64_t>(step)});
  const std::int64_t size = config_.vae.training.batch_size;
  const LdmDraw draw = draw_ldm_images(stream, images_, size);
  const at::Tensor index = current_rows(draw.index_N), mirrored = current_rows(draw.mirrored_N);
  const at::Tensor plain = images_.image_N3SS.index_select(0, index.to(device()));
  const at::Tensor image = torch::where(mirrored.to(device()).view({-1, 1, 1, 1}) == 1, plain.flip({3}), plain);
  const std::int64_t latent_px = config_.image_size_px / vae_->config().downsampling_factor();
  const at::Tensor noise =
      current_rows(normal_tensor(stream, {size, config_.vae.latent_channels, latent_px, latent_px}));
  return share_of_batch(loss_({image, noise.to(device())}), index.size(0), size);
}

std::vector<at::Tensor> VaeTraining::pictures(const at::Tensor& image_indices) {
  torch::NoGradGuard no_grad;
  const at::Tensor image = to_image11(images_.image_N3SS.index_select(0, image_indices));
  return {to_image01(image), to_image01(vae_->decode(vae_->encode(image).mean_NChw))};
}

at::Tensor VaeTraining::encode_all(AutoencoderConfig& written_config) {
  torch::NoGradGuard no_grad;
  at::Tensor all = encode_plain_and_mirrored(
      images_, kEncodeBatch, [&](const at::Tensor& bytes) { return vae_->encode(to_image11(bytes)).mean_NChw; });
  written_config = vae_->config();
  written_config.scaling_factor = 1.0 / all.std().item<double>();
  return all.mul_(written_config.scaling_factor);
}

}  // namespace domainfusion
