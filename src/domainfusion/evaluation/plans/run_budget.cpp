#include "domainfusion/evaluation/plans/run_budget.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <chrono>
#include <limits>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/nn/memory/tensor_memory.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kTimedImages = 8;
constexpr int kTimedRounds = 3;
constexpr std::int64_t kLookedAt = 4;  // images of a domain, for their size

template <class Action>
double fastest_seconds(Action action) {
  action();  // the first round also prepares memory
  double best = std::numeric_limits<double>::infinity();
  for (int round = 0; round < kTimedRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    action();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return best;
}

std::int64_t place_in(const std::string& domain, const SetSizes& sizes) {
  const auto place = std::find(sizes.domain_names.begin(), sizes.domain_names.end(), domain);
  check<ConfigError>(place != sizes.domain_names.end(), "test domain '{}': {} has {}", domain, sizes.name,
                     fmt::join(sizes.domain_names, ", "));
  return place - sizes.domain_names.begin();
}

}  // namespace

SetSizes sizes_of(const DomainDataset& dataset, const std::string& name) {
  SetSizes sizes{name, dataset.domain_names(), {}, dataset.number_of_classes(), dataset.class_names()};
  double bytes = 0, looked_at = 0;
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    sizes.images.push_back(dataset.size(d));
    for (std::int64_t i = 0; i < std::min(kLookedAt, dataset.size(d)); ++i, ++looked_at) {
      bytes += static_cast<double>(dataset.image(d, i * dataset.size(d) / kLookedAt).rgb.size());
    }
  }
  if (looked_at > 0) sizes.decoded_bytes = bytes / looked_at;
  return sizes;
}

SetSizes sizes_of(const TrainingConfig& config) {
  if (!config.data.root.empty()) {
    const auto dataset = open_dataset(config.data);
    return sizes_of(*dataset, dataset_name(*dataset, config));
  }
  const KnownDataset* known = find_known_dataset(config.benchmark);
  check<ConfigError>(known != nullptr, "benchmark = '{}' is no known set: name one, or give images with --data",
                     config.benchmark);
  return {known->name, known->domain_names, known->images, known->number_of_classes, known->class_names};
}

RunBudget run_budget(RunSetup& setup, const SetSizes& sizes) {
  const TrainingConfig& config = setup.config;
  std::vector<std::int64_t> held_out{place_in(config.test_domain, sizes)};
  if (!config.cross_validation_domain.empty()) held_out.push_back(place_in(config.cross_validation_domain, sizes));
  RunBudget budget;
  for (std::size_t d = 0; d < sizes.images.size(); ++d) {
    const auto out = static_cast<std::int64_t>(static_cast<double>(sizes.images[d]) * config.holdout_fraction);
    if (std::find(held_out.begin(), held_out.end(), static_cast<std::int64_t>(d)) != held_out.end()) {
      budget.held_out_images += sizes.images[d];
      continue;
    }
    budget.sources.push_back(sizes.domain_names[d]);
    budget.in_images += sizes.images[d] - out;
    budget.out_images += out;
  }
  const auto sources = static_cast<std::int64_t>(budget.sources.size());
  check<ConfigError>(sources > 0, "{} has no domain left to learn from", sizes.name);
  budget.steps_per_epoch = config.steps_per_epoch(budget.in_images, sources);
  budget.steps = config.total_steps(budget.steps_per_epoch);
  budget.images_per_step = sources * config.loader.batch_size * setup.algorithm->batch_multiplier();
  budget.validations = config.validations(budget.steps);
  const std::int64_t target_images = sizes.images[static_cast<std::size_t>(held_out[0])];
  budget.held_out_in_images =
      target_images - static_cast<std::int64_t>(static_cast<double>(target_images) * config.holdout_fraction);
  const std::int64_t each_validation = budget.out_images + (held_out.size() > 1 ? budget.held_out_images : 0);
  budget.evaluated_images = budget.validations * each_validation + 2 * target_images;
  return budget;
}

StepTimes measure_step_times(const RunSetup& setup, std::int64_t classes, std::int64_t images) {
  const KeptTensorMemory memory;  // as in a training run
  const TrainingConfig& config = setup.config;
  ClassifierConfig untrained = config.classifier;
  untrained.weights.clear();  // their values cost no time
  Classifier classifier(untrained, std::max<std::int64_t>(classes, 2), 0);
  const at::Device device = device_of(config.device);
  classifier->to(device);
  const std::int64_t size = config.loader.image_size_px;
  if (images == 0) images = std::min(kTimedImages, config.loader.batch_size);
  const at::Tensor image_NCHW = torch::zeros({images, 3, size, size}, device);
  const at::Tensor label_N = torch::zeros({images}, torch::TensorOptions(torch::kInt64).device(device));
  Adam optimizer(classifier->parameters(), {});
  classifier->train();
  const double train = fastest_seconds([&] {
    optimizer.zero_grad();
    const at::Tensor loss = classification_loss(classifier->forward(image_NCHW), label_N);
    loss.backward();
    optimizer.step();
    loss.item<float>();
  });
  classifier->eval();
  torch::NoGradGuard no_grad;
  const double evaluate = fastest_seconds([&] { classifier->forward(image_NCHW).sum().item<float>(); });
  return {train / static_cast<double>(images), evaluate / static_cast<double>(images)};
}

double estimated_seconds(const RunBudget& budget, const StepTimes& times) {
  return times.train_seconds_per_image * static_cast<double>(budget.steps * budget.images_per_step) +
         times.evaluate_seconds_per_image * static_cast<double>(budget.evaluated_images);
}

std::string describe_budget(const RunSetup& setup, const SetSizes& sizes, const RunBudget& budget,
                            const StepTimes& times) {
  const TrainingConfig& config = setup.config;
  const std::int64_t trained = budget.steps * budget.images_per_step;
  std::string text = fmt::format("{} on {}: {} held out, learning from {}\n", config.algorithm, sizes.name,
                                 config.test_domain, fmt::join(budget.sources, ", "));
  text += fmt::format("  network     {} at {} px, {}, {} classes, batch {} per domain, lr {}\n",
                      config.classifier.backbone, config.loader.image_size_px, config.classifier.start(), sizes.classes,
                      config.loader.batch_size, config.optimizer.lr);
  if (budget.in_images > 0) {
    text += fmt::format("  images      {} to learn from, {} to select the model, {} held out\n", budget.in_images,
                        budget.out_images, budget.held_out_images);
  }
  text += fmt::format("  steps       {} of {} images: {} images", budget.steps, budget.images_per_step, trained);
  if (budget.steps_per_epoch > 0) {
    text +=
        fmt::format(", {:.1f} epochs", static_cast<double>(budget.steps) / static_cast<double>(budget.steps_per_epoch));
  }
  text += "\n";
  text +=
      fmt::format("  validations {}, with the test {} images in all\n", budget.validations, budget.evaluated_images);
  text += fmt::format(
      "  time        {} on {}: {:.3f} s a step of plain training by a short measurement, without reading images\n",
      format_seconds(estimated_seconds(budget, times)), device_of(config.device).str(),
      times.train_seconds_per_image * static_cast<double>(budget.images_per_step));
  if (config.algorithm != "erm") {
    text += fmt::format("  beside      what {} does more than plain training: `domainfusion plan` counts it\n",
                        config.algorithm);
  }
  return text;
}

}  // namespace domainfusion
