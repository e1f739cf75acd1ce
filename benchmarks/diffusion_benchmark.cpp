// Images per second through the networks of a compact latent diffusion model (64 px images, 8x8 latents, weights as
// initialised): U-Net forward and training step, VAE encode, decode and training step.

#include <benchmark/benchmark.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "compact_ldm.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/nn/initialise.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

template <class Holder, class Config>
Holder initialised(const Config& config) {
  Holder module(config);
  initialise_parameters(*module, 1, "benchmark");
  return module;
}

template <class Holder, class Config>
Holder frozen(const Config& config) {
  Holder module = initialised<Holder>(config);
  for (at::Tensor& parameter : module->parameters()) parameter.set_requires_grad(false);
  return module;
}

void report(benchmark::State& state, const torch::nn::Module& module) {
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["parameters"] = static_cast<double>(parameter_count(module));
}

struct UNetBatch {
  explicit UNetBatch(std::int64_t n)
      : z(torch::ones({n, kLatentChannels, 8, 8})),
        t(torch::full({n}, 500, torch::kLong)),
        context(torch::ones({n, kTokens, kTextWidth})) {}
  at::Tensor z, t, context;
};

void unet_forward(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  auto unet = frozen<UNet2dCondition>(compact_unet());
  const UNetBatch batch(state.range(0));
  for (auto _ : state) benchmark::DoNotOptimize(unet(batch.z, batch.t, batch.context).data_ptr());
  report(state, *unet);
}

void unet_forward_and_backward(benchmark::State& state) {
  auto unet = initialised<UNet2dCondition>(compact_unet());
  const UNetBatch batch(state.range(0));
  for (auto _ : state) {
    unet->zero_grad();
    unet(batch.z, batch.t, batch.context).square().mean().backward();
  }
  report(state, *unet);
}

void vae_encode(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  auto vae = frozen<AutoencoderKl>(compact_vae());
  const at::Tensor image = torch::ones({state.range(0), 3, 64, 64});
  for (auto _ : state) benchmark::DoNotOptimize(vae->encode(image).mean_NChw.data_ptr());
  report(state, *vae);
}

void vae_decode(benchmark::State& state) {
  const torch::NoGradGuard no_grad;
  auto vae = frozen<AutoencoderKl>(compact_vae());
  const at::Tensor z = torch::ones({state.range(0), kLatentChannels, 8, 8});
  for (auto _ : state) benchmark::DoNotOptimize(vae->decode(z).data_ptr());
  report(state, *vae);
}

void vae_forward_and_backward(benchmark::State& state) {
  auto vae = initialised<AutoencoderKl>(compact_vae());
  const at::Tensor image = torch::ones({state.range(0), 3, 64, 64});
  for (auto _ : state) {
    vae->zero_grad();
    vae->decode(vae->encode(image).mean_NChw).square().mean().backward();
  }
  report(state, *vae);
}

BENCHMARK(unet_forward)->Arg(1)->Arg(8)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(unet_forward_and_backward)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(vae_encode)->Arg(1)->Arg(8)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(vae_decode)->Arg(1)->Arg(8)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(vae_forward_and_backward)->Arg(32)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace domainfusion

int main(int argc, char** argv) {
  domainfusion::set_threads(0);
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
}
