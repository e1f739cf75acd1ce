// Cost of latent distillation with a compact LDM (64 px, f = 8, 8x8x4 latents), random weights, on the CPU:
// one step of 32 images with each encoder form, and the networks it is made of.

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "domainfusion/core/random_tensor.h"
#include "domainfusion/core/threads.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/distillation/latent_distillation.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kImages = 32, kClasses = 7, kTokens = 16, kWidth = 128;

AutoencoderConfig vae_config() {
  AutoencoderConfig config;
  config.block_out_channels = {32, 64, 96, 128};
  config.layers_per_block = 1;
  config.norm_num_groups = 8;
  config.sample_size_px = 64;
  return config;
}

UNetConfig unet_config() {
  UNetConfig config;
  config.sample_size = 8;
  config.block_out_channels = {128, 256};
  config.down_block_types = {"CrossAttnDownBlock2D", "CrossAttnDownBlock2D"};
  config.up_block_types = {"CrossAttnUpBlock2D", "CrossAttnUpBlock2D"};
  config.layers_per_block = {1};
  config.attention_head_dim = {4};
  config.cross_attention_dim = kWidth;
  return config;
}

template <class Module>
Module frozen(Module module) {
  module->eval();
  for (auto& parameter : module->parameters()) parameter.requires_grad_(false);
  return module;
}

at::Tensor random(at::IntArrayRef sizes) {
  RandomStream stream(1, "benchmark");
  return normal_tensor(stream, sizes);
}

const LatentTeacher& teacher() {
  static const LatentTeacher made = [] {
    set_threads(0);
    AutoencoderKl vae = frozen(AutoencoderKl(vae_config()));
    UNet2dCondition unet = frozen(UNet2dCondition(unet_config()));
    LatentTeacher t;
    t.image_size_px = 64;
    t.alphas_cumprod = (1 - torch::linspace(1e-4, 0.02, 1000, torch::kFloat64)).cumprod(0);
    t.encode = [vae](const at::Tensor& x) mutable { return vae->encode(2 * x - 1).mean_NChw; };
    t.predict_epsilon = [unet](const at::Tensor& z, const at::Tensor& t_N, const at::Tensor& c) mutable {
      return unet->forward(z, t_N, c);
    };
    t.embed = [](const std::vector<std::string>& prompts) {
      return random({static_cast<std::int64_t>(prompts.size()), kTokens, kWidth});
    };
    return t;
  }();
  return made;
}

// Smooth pictures, held in memory as a loader would.
ImageSource pictures() {
  const at::Tensor all = torch::upsample_bilinear2d(random({kImages, 3, 8, 8}), std::vector<std::int64_t>{64, 64}, false).sigmoid();
  return [all](const std::vector<ImageKey>& keys) {
    std::vector<at::Tensor> images;
    for (const ImageKey& key : keys) images.push_back(all[key.index]);
    return torch::stack(images);
  };
}

DistillationBatch batch() {
  const at::Tensor rows = torch::arange(kImages);
  return {random({kImages, kClasses}).requires_grad_(), rows % kClasses, torch::zeros_like(rows), rows, {}};
}

void step(benchmark::State& state, EncoderForm encoder, UnetJacobian jacobian) {
  DistillationConfig config;
  config.encoder = encoder;
  config.jacobian = jacobian;
  config.fraction = 1;
  LatentDistillation distillation(config, teacher(), std::vector<std::string>(kClasses, "thing"), pictures(), 1);
  std::vector<LabelledKey> images;
  for (std::int64_t i = 0; i < kImages; ++i) images.push_back({{0, i}, i % kClasses});
  // Random weights say nothing about the gate, so the usual K is taken as it is.
  distillation.prepare(images, {}, 9);
  if (distillation.curve() != nullptr) distillation.curve()->fill();
  const DistillationBatch one = batch();
  std::int64_t number = 0;
  for (auto _ : state) distillation.step(one, number++).loss.backward();
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK_CAPTURE(step, exact, EncoderForm::kExact, UnetJacobian::kDropped)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(step, difference, EncoderForm::kDifference, UnetJacobian::kDropped)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(step, curve, EncoderForm::kCurve, UnetJacobian::kDropped)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(step, curve_full_jacobian, EncoderForm::kCurve, UnetJacobian::kFull)->Unit(benchmark::kMillisecond)->UseRealTime();

void vae_encode(benchmark::State& state) {
  torch::NoGradGuard no_graph;
  const at::Tensor image = random({kImages, 3, 64, 64}).sigmoid();
  for (auto _ : state) benchmark::DoNotOptimize(teacher().encode(image));
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(vae_encode)->Unit(benchmark::kMillisecond)->UseRealTime();

void unet_forward(benchmark::State& state) {
  torch::NoGradGuard no_graph;
  const at::Tensor z = random({kImages, 4, 8, 8}), t = torch::full({kImages}, 500, torch::kInt64);
  const at::Tensor condition = random({kImages, kTokens, kWidth});
  for (auto _ : state) benchmark::DoNotOptimize(teacher().predict_epsilon(z, t, condition));
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(unet_forward)->Unit(benchmark::kMillisecond)->UseRealTime();

// Reading z(p) and dz/dp of a batch from the cache.
void curve_interpolation(benchmark::State& state) {
  const at::Tensor nodes = random({kImages, 9, 4, 8, 8}), p = torch::linspace(0.05, 0.95, kImages);
  for (auto _ : state) benchmark::DoNotOptimize(interpolate(nodes, p).derivative_NChw);
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(curve_interpolation)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace domainfusion

BENCHMARK_MAIN();
