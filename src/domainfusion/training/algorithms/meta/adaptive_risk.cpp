#include "domainfusion/training/algorithms/meta/adaptive_risk.h"

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/initialise.h"

namespace domainfusion {

at::Tensor shared_context(const at::Tensor& map_N1HW, std::int64_t support) {
  const std::int64_t images = map_N1HW.size(0), group = images % support == 0 ? support : images;
  const at::Tensor mean = map_N1HW.view({images / group, group, 1, map_N1HW.size(2), map_N1HW.size(3)}).mean(1);
  return mean.repeat_interleave(group, 0);
}

AdaptiveRisk::~AdaptiveRisk() {
  if (classifier_) classifier_->backbone().set_first_layer_addition({});
}

// The further channel's kernel begins as the first channel's, as in DomainBed.
void AdaptiveRisk::add_networks(torch::nn::Module& beside, const NetworkRequest& request) {
  Classifier classifier = request.classifier;
  const auto* first = classifier->backbone().first_layer();
  check<ConfigError>(first != nullptr,
                     "arm adds a channel to images, and this backbone does not begin with a convolution");
  const auto convolution = [](std::int64_t in, std::int64_t out) {
    return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 5).padding(2));
  };
  constexpr std::int64_t kWidth = 64;
  context_net_ = torch::nn::Sequential(convolution(3, kWidth), torch::nn::BatchNorm2d(kWidth), torch::nn::ReLU(),
                                       convolution(kWidth, kWidth), torch::nn::BatchNorm2d(kWidth), torch::nn::ReLU(),
                                       convolution(kWidth, 1));
  initialise_parameters(*context_net_, request.seed, "init context_net");
  beside.register_module("context_net", context_net_);
  kernel_ = beside.register_parameter("context_kernel", first->weight.detach().narrow(1, 0, 1).clone());
}

void AdaptiveRisk::prepare(TrainingContext& context) {
  DomainAlgorithm::prepare(context);
  classifier_ = context.classifier;
  classifier_->backbone().set_first_layer_addition(
      [this](const at::Tensor& image_NCHW) { return addition(image_NCHW); });
}

at::Tensor AdaptiveRisk::addition(const at::Tensor& image_NCHW) {
  const auto* first = classifier_->backbone().first_layer();
  const auto padding = c10::get<torch::ExpandingArray<2>>(first->options.padding());
  const at::Tensor context_map =
      shared_context(context_net_->forward(image_NCHW).contiguous(), context().config.loader.batch_size);
  return torch::conv2d(context_map, kernel_, {}, *first->options.stride(), *padding);
}

}  // namespace domainfusion
