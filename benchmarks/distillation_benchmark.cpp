// Cost of latent distillation with a compact LDM, random weights, on the CPU: the distillation of 32 images with each
// encoder form, what it is made of, and a whole step of DomainFusion over one of ERM.

#include <benchmark/benchmark.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <chrono>

#include "classifier_step.h"
#include "compact_ldm.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/random/random_tensor.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"
#include "domainfusion/nn/initialise.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kImages = 32, kClasses = 7;

template <class Module>
Module frozen(Module module) {
  initialise_parameters(*module, 1, "benchmark");
  module->eval();
  for (auto& parameter : module->parameters()) parameter.requires_grad_(false);
  return module;
}

at::Tensor random(at::IntArrayRef sizes) {
  RandomStream stream(1, "benchmark");
  return normal_tensor(stream, sizes);
}

const LdmFunctions& teacher() {
  static const LdmFunctions made = [] {
    set_threads(0);
    AutoencoderKl vae = frozen(AutoencoderKl(compact_vae()));
    UNet2dCondition unet = frozen(UNet2dCondition(compact_unet()));
    LdmFunctions t;
    t.image_size_px = 64;
    t.alphas_cumprod = (1 - torch::linspace(1e-4, 0.02, 1000, torch::kFloat64)).cumprod(0);
    t.encode = [vae](const at::Tensor& x) mutable { return vae->encode(2 * x - 1).mean_NChw; };
    t.predict_epsilon = [unet](const at::Tensor& z, const at::Tensor& t_N, const at::Tensor& c) mutable {
      return unet->forward(z, t_N, c);
    };
    t.embed = [](const std::vector<std::string>& prompts) {
      return random({static_cast<std::int64_t>(prompts.size()), kTokens, kTextWidth});
    };
    return t;
  }();
  return made;
}

// Smooth pictures, held in memory as a loader would.
ImageSource pictures() {
  const at::Tensor all =
      torch::upsample_bilinear2d(random({kImages, 3, 8, 8}), std::vector<std::int64_t>{64, 64}, false).sigmoid();
  return [all](const std::vector<ImageKey>& keys) {
    std::vector<at::Tensor> images;
    for (const ImageKey& key : keys) images.push_back(all[key.index]);
    return torch::stack(images);
  };
}

DistillationBatch batch(const at::Tensor& logits_NK) {
  const at::Tensor rows = torch::arange(kImages);
  return {logits_NK, rows % kClasses, torch::zeros_like(rows), rows, {}};
}

LatentDistillation prepared(EncoderForm encoder, UnetJacobian jacobian, double fraction) {
  DistillationConfig config;
  config.encoder = encoder;
  config.jacobian = jacobian;
  config.fraction = fraction;
  LatentDistillation distillation(config, teacher(), std::vector<std::string>(kClasses, "thing"), pictures(), 1);
  std::vector<LabelledKey> images;
  for (std::int64_t i = 0; i < kImages; ++i) images.push_back({{0, i}, i % kClasses});
  // Random weights say nothing about the gate, so the usual K is taken as it is.
  distillation.prepare(images, {}, 9);
  if (distillation.curve() != nullptr) {
    std::vector<ImageKey> keys;
    for (const LabelledKey& image : images) keys.push_back(image.key);
    distillation.curve()->at(keys, torch::full({kImages}, 0.5));
  }
  return distillation;
}

void step(benchmark::State& state, EncoderForm encoder, UnetJacobian jacobian) {
  LatentDistillation distillation = prepared(encoder, jacobian, 1);
  const DistillationBatch one = batch(random({kImages, kClasses}).requires_grad_());
  std::int64_t number = 0;
  for (auto _ : state) distillation.step(one, number++).loss.backward();
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK_CAPTURE(step, exact, EncoderForm::kExact, UnetJacobian::kDropped)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(step, difference, EncoderForm::kDifference, UnetJacobian::kDropped)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(step, curve, EncoderForm::kCurve, UnetJacobian::kDropped)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(step, curve_full_jacobian, EncoderForm::kCurve, UnetJacobian::kFull)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

// ResNet-18 at 64 px. Counter over_erm: this step's time over that of a step without distillation, measured in turn.
void domainfusion_step(benchmark::State& state, EncoderForm encoder) {
  using Clock = std::chrono::steady_clock;
  LatentDistillation distillation =
      prepared(encoder, UnetJacobian::kDropped, static_cast<double>(state.range(0)) / 100);
  ClassifierStep step(64, kImages);
  step.run();
  std::int64_t number = 0;
  Clock::duration erm{}, both{};
  for (auto _ : state) {
    const auto start = Clock::now();
    step.run([&](const at::Tensor& logits_NK) { return distillation.step(batch(logits_NK), number++).loss; });
    const auto middle = Clock::now();
    step.run();
    erm += Clock::now() - middle;
    both += middle - start;
    state.SetIterationTime(std::chrono::duration<double>(middle - start).count());
  }
  state.SetItemsProcessed(state.iterations() * kImages);
  state.counters["over_erm"] = static_cast<double>(both.count()) / static_cast<double>(erm.count());
}
#define DOMAINFUSION_STEP(form, value)              \
  BENCHMARK_CAPTURE(domainfusion_step, form, value) \
      ->Arg(25)                                     \
      ->Arg(100)                                    \
      ->ArgName("percent_distilled")                \
      ->Unit(benchmark::kMillisecond)               \
      ->UseManualTime()
DOMAINFUSION_STEP(exact, EncoderForm::kExact);
DOMAINFUSION_STEP(difference, EncoderForm::kDifference);
DOMAINFUSION_STEP(curve, EncoderForm::kCurve);

void vae_encode(benchmark::State& state) {
  torch::NoGradGuard no_graph;
  const at::Tensor image = random({kImages, 3, 64, 64}).sigmoid();
  for (auto _ : state) benchmark::DoNotOptimize(teacher().encode(image));
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(vae_encode)->Unit(benchmark::kMillisecond)->UseRealTime();

void unet_forward(benchmark::State& state) {
  torch::NoGradGuard no_graph;
  const at::Tensor z = random({kImages, kLatentChannels, 8, 8}), t = torch::full({kImages}, 500, torch::kInt64);
  const at::Tensor condition = random({kImages, kTokens, kTextWidth});
  for (auto _ : state) benchmark::DoNotOptimize(teacher().predict_epsilon(z, t, condition));
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(unet_forward)->Unit(benchmark::kMillisecond)->UseRealTime();

// Reading z(p) and dz/dp of a batch from the cache.
void curve_interpolation(benchmark::State& state) {
  const at::Tensor nodes = random({kImages, 9, kLatentChannels, 8, 8}), p = torch::linspace(0.05, 0.95, kImages);
  for (auto _ : state) benchmark::DoNotOptimize(interpolate(nodes, p).derivative_NChw);
  state.SetItemsProcessed(state.iterations() * kImages);
}
BENCHMARK(curve_interpolation)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace domainfusion

BENCHMARK_MAIN();
