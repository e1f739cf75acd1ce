// domainfusion bench classifier: seconds of a training step, with the batch in memory and with the loader beside it.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <limits>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/cli/commands.h"
#include "domainfusion/core/error.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/training/adam.h"

namespace domainfusion {
namespace {

struct BenchArguments {
  DataConfig data;
  ClassifierConfig classifier;
  LoaderConfig loader;
  std::int64_t steps = 4;
};

class Step {
 public:
  Step(const ClassifierConfig& config, std::int64_t classes)
      : classifier_(config, classes, 0), adam_(classifier_->parameters(), {.lr = 5e-5}) {}

  void run(const Batch& batch) {
    adam_.zero_grad();
    torch::nn::functional::cross_entropy(classifier_->forward(batch.image_NCHW), batch.label_N).backward();
    adam_.step();
  }

 private:
  Classifier classifier_;
  Adam adam_;
};

template <class Work>
double seconds_of(Work work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void bench_classifier(const BenchArguments& arguments) {
  const auto dataset = open_dataset(arguments.data);
  BatchLoader loader(dataset, every_image_of(*dataset), arguments.loader, 0, "bench");
  Step step(arguments.classifier, dataset->number_of_classes());
  const Batch batch = loader.batch(0);
  step.run(batch);  // takes memory and chooses algorithms
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < arguments.steps; ++i) best = std::min(best, seconds_of([&] { step.run(batch); }));
  const double loading = seconds_of([&] {
    for (std::int64_t i = 0; i < arguments.steps; ++i) step.run(loader.batch(1 + i));
  });
  fmt::print("{} {} px, {} images a step: {:.4f} s in memory (best), {:.4f} s with loading (mean of {})\n",
             arguments.classifier.backbone, arguments.loader.image_size_px, loader.images_per_step(), best,
             loading / static_cast<double>(arguments.steps), arguments.steps);
}

}  // namespace

void add_bench_classifier_command(CLI::App& bench) {
  auto* command = bench.add_subcommand("classifier", "seconds of a training step on the images of a set");
  auto arguments = std::make_shared<BenchArguments>();
  arguments->loader.image_size_px = 224;
  arguments->data.cache = ImageCache::kNone;
  command->add_option("--data", arguments->data.root, "folder <domain>/<class>/<image>")->required()->take_last();
  command->add_option("--backbone", arguments->classifier.backbone, "see `domainfusion inspect backbones`")
      ->take_last()
      ->capture_default_str();
  command->add_option("--batch", arguments->loader.batch_size, "images per domain and step")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_option("--size", arguments->loader.image_size_px, "image size in pixels")
      ->check(CLI::Range(8, 4096))
      ->capture_default_str();
  command->add_option("--workers", arguments->loader.workers, "loader threads")
      ->check(CLI::Range(0, 256))
      ->capture_default_str();
  command->add_option("--steps", arguments->steps, "steps of each kind")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  command->callback([arguments] { with_context("bench classifier", [&] { bench_classifier(*arguments); }); });
}

}  // namespace domainfusion
