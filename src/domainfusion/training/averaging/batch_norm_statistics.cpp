#include "domainfusion/training/averaging/batch_norm_statistics.h"

#include <torch/nn/module.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/types.h>
#include <torch/utils.h>

namespace domainfusion {
namespace {

using Layers = std::vector<torch::nn::BatchNorm2dImpl*>;
using Momentum = std::decay_t<decltype(std::declval<torch::nn::BatchNorm2dOptions&>().momentum())>;

Layers learning_layers(const torch::nn::Module& model) {
  Layers layers;
  for (const auto& module : model.modules(/*include_self=*/false)) {
    auto* layer = module->as<torch::nn::BatchNorm2d>();
    if (layer && layer->is_training() && layer->options.track_running_stats()) layers.push_back(layer);
  }
  return layers;
}

// Without a momentum, torch's batch norm takes the plain mean over all batches since the reset.
class PlainMean {
 public:
  explicit PlainMean(Layers layers) : layers_(std::move(layers)) {
    for (auto* layer : layers_) {
      momenta_.push_back(layer->options.momentum());
      layer->reset_running_stats();
      layer->options.momentum(Momentum());
    }
  }
  ~PlainMean() {
    for (std::size_t i = 0; i < layers_.size(); ++i) layers_[i]->options.momentum(momenta_[i]);
  }
  PlainMean(const PlainMean&) = delete;
  PlainMean& operator=(const PlainMean&) = delete;

 private:
  Layers layers_;
  std::vector<Momentum> momenta_;
};

}  // namespace

bool takes_batch_statistics(const torch::nn::Module& model) { return !learning_layers(model).empty(); }

void retake_batch_statistics(torch::nn::Module& model, std::int64_t batches,
                             const std::function<void(std::int64_t batch)>& forward) {
  torch::NoGradGuard no_grad;
  const PlainMean plain(learning_layers(model));
  for (std::int64_t batch = 0; batch < batches; ++batch) forward(batch);
}

}  // namespace domainfusion
