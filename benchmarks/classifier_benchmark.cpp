// Images per second of ResNet-18: one training step (forward, cross-entropy, backward, Adam) and one forward pass in eval mode, at 64 px
// (small stem, batches of 64) and 224 px (batches of 16).

#include <benchmark/benchmark.h>
#include <torch/torch.h>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/core/threads.h"
#include "domainfusion/training/adam.h"

namespace domainfusion {
namespace {

struct Load {
  Classifier classifier{nullptr};
  at::Tensor image_NCHW, label_N;
};

Load load_of(std::int64_t size_px, std::int64_t batch) {
  ClassifierConfig config;
  config.stem = size_px < 128 ? Stem::kSmall : Stem::kImagenet;
  return {Classifier(config, 7, 0), torch::randn({batch, 3, size_px, size_px}), torch::randint(7, {batch}, torch::kInt64)};
}

void count_images(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(1));
}

void training_step(benchmark::State& state) {
  Load load = load_of(state.range(0), state.range(1));
  Adam adam(load.classifier->parameters(), {.lr = 1e-4});
  for (auto _ : state) {
    adam.zero_grad();
    torch::nn::functional::cross_entropy(load.classifier->forward(load.image_NCHW), load.label_N).backward();
    adam.step();
  }
  count_images(state);
}

void forward_pass(benchmark::State& state) {
  Load load = load_of(state.range(0), state.range(1));
  load.classifier->eval();
  torch::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(load.classifier->forward(load.image_NCHW));
  count_images(state);
}

BENCHMARK(training_step)->Args({64, 64})->Args({224, 16})->ArgNames({"px", "batch"})->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK(forward_pass)->Args({64, 64})->Args({224, 16})->ArgNames({"px", "batch"})->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace domainfusion

int main(int argc, char** argv) {
  domainfusion::set_threads(0);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
