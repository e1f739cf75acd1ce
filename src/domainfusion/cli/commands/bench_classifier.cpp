// domainfusion bench classifier: seconds of a training step, with the batch in memory and with the loader beside it.
#include <torch/types.h>

#include <chrono>
#include <limits>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/core/error.h"
#include "domainfusion/data/batch_loader.h"
#include "domainfusion/data/data_config.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/memory/tensor_memory.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {
namespace {

struct BenchClassifierArguments {
  DataConfig data;
  ClassifierConfig classifier;
  LoaderConfig loader;
  std::int64_t steps = 4;
  std::string device = "auto", precision = "float32";
};

class Step {
 public:
  Step(const ClassifierConfig& config, std::int64_t classes, const Placement& placement)
      : placement_(placement), classifier_(config, classes, 0), adam_(parameters_there(), {.lr = 5e-5}) {}

  void run(const Batch& batch) {
    adam_.zero_grad();
    loss(batch.on(placement_.device)).backward();
    adam_.step();
  }

 private:
  std::vector<at::Tensor> parameters_there() {
    classifier_->to(placement_.device);
    return classifier_->parameters();
  }
  at::Tensor loss(const Batch& batch) {
    const Autocast autocast(placement_);
    return torch::cross_entropy_loss(classifier_->forward(batch.image_NCHW).to(at::kFloat), batch.label_N);
  }

  Placement placement_;
  Classifier classifier_;
  Adam adam_;
};

template <class Work>
double seconds_of(at::Device device, Work work) {
  synchronize(device);
  const auto start = std::chrono::steady_clock::now();
  work();
  synchronize(device);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

void bench_classifier(const BenchClassifierArguments& arguments) {
  const KeptTensorMemory memory;  // as in a training run
  const auto dataset = open_dataset(arguments.data);
  BatchLoader loader(dataset, every_image_of(*dataset), arguments.loader, 0, "bench");
  const Placement placement = placement_of(arguments.device, arguments.precision);
  const at::Device device = placement.device;
  Step step(arguments.classifier, dataset->number_of_classes(), placement);
  const Batch batch = loader.batch(0);
  for (int i = 0; i < 2; ++i) step.run(batch);  // takes memory, chooses algorithms, and records them on a GPU
  double best = std::numeric_limits<double>::infinity();
  for (std::int64_t i = 0; i < arguments.steps; ++i)
    best = std::min(best, seconds_of(device, [&] { step.run(batch); }));
  const double loading = seconds_of(device, [&] {
    for (std::int64_t i = 0; i < arguments.steps; ++i) step.run(loader.batch(1 + i));
  });
  fmt::print("{} on {} in {}, {} px, {} images a step: {:.4f} s in memory (best), {:.4f} s with loading (mean of {})\n",
             arguments.classifier.backbone, device.str(), name_of(placement.dtype), arguments.loader.image_size_px,
             loader.images_per_step(), best, loading / static_cast<double>(arguments.steps), arguments.steps);
}

}  // namespace

void add_bench_classifier_command(Command& bench) {
  Command command = bench.add("classifier", "seconds of a training step on the images of a set");
  auto arguments = std::make_shared<BenchClassifierArguments>();
  arguments->loader.image_size_px = 224;
  arguments->data.cache = ImageCache::kNone;
  command.option("--data", arguments->data.root, "folder <domain>/<class>/<image>").required();
  command.option("--backbone", arguments->classifier.backbone, "see `domainfusion inspect backbones`").default_shown();
  command.option("--batch", arguments->loader.batch_size, "images per domain and step").within(1, 4096).default_shown();
  command.option("--size", arguments->loader.image_size_px, "image size in pixels").within(8, 4096).default_shown();
  command.option("--workers", arguments->loader.workers, "loader threads").within(0, 256).default_shown();
  add_device_option(command, arguments->device);
  command.option("--precision", arguments->precision, "of the products: float32, or bfloat16 (mixed)").default_shown();
  command.option("--steps", arguments->steps, "steps of each kind").within(1, 100000).default_shown();
  command.run([arguments] { bench_classifier(*arguments); });
}

}  // namespace domainfusion
