// Images per second of ResNet-18: one training step (forward, cross-entropy, backward, Adam) and one forward pass in
// eval mode, at 64 px (small stem, batches of 64) and 224 px (batches of 16).

#include <benchmark/benchmark.h>

#include "classifier_step.h"
#include "domainfusion/core/machine/threads.h"

namespace domainfusion {
namespace {

void count_images(benchmark::State& state) {
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * state.range(1));
}

void training_step(benchmark::State& state) {
  ClassifierStep step(state.range(0), state.range(1));
  for (auto _ : state) step.run();
  count_images(state);
}

void forward_pass(benchmark::State& state) {
  ClassifierStep load(state.range(0), state.range(1));
  load.classifier->eval();
  torch::NoGradGuard no_grad;
  for (auto _ : state) benchmark::DoNotOptimize(load.classifier->forward(load.image_NCHW));
  count_images(state);
}

BENCHMARK(training_step)
    ->Args({64, 64})
    ->Args({224, 16})
    ->ArgNames({"px", "batch"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(forward_pass)
    ->Args({64, 64})
    ->Args({224, 16})
    ->ArgNames({"px", "batch"})
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace domainfusion

int main(int argc, char** argv) {
  domainfusion::set_threads(0);
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
