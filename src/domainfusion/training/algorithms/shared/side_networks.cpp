#include "domainfusion/training/algorithms/shared/side_networks.h"

#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/nn/initialise.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {

void MlpConfig::describe(ConfigFields& fields) {
  fields.integer("mlp_width", width, {1, 65536}, "width of the adversary's hidden layers");
  fields.integer("mlp_depth", depth, {2, 64}, "its linear layers, the first and the last included");
  fields.real("mlp_dropout", dropout, {0, 0.99}, "its dropout");
}

MlpImpl::MlpImpl(std::int64_t inputs, std::int64_t outputs, const MlpConfig& config) : dropout_(config.dropout) {
  layers_.push_back(register_module("input", torch::nn::Linear(inputs, config.width)));
  const auto hiddens = register_module("hiddens", std::make_shared<torch::nn::Module>());
  for (std::int64_t i = 0; i < config.depth - 2; ++i)
    layers_.push_back(hiddens->register_module(std::to_string(i), torch::nn::Linear(config.width, config.width)));
  layers_.push_back(register_module("output", torch::nn::Linear(config.width, outputs)));
}

at::Tensor MlpImpl::forward(at::Tensor x, StepDraws& draws) {
  for (std::size_t i = 0; i + 1 < layers_.size(); ++i) {
    x = layers_[i](x);
    if (is_training() && dropout_ > 0) {
      const at::Tensor kept = draws.uniform(x.sizes()).ge(dropout_).to(x.device(), x.scalar_type());
      x = x * kept / (1 - dropout_);
    }
    x = x.relu();
  }
  return layers_.back()(x);
}

HeadImpl::HeadImpl(std::int64_t features, std::int64_t outputs, HeadKind kind) {
  if (kind == HeadKind::kLinear) {
    const torch::nn::Linear& only = layers_.emplace_back(features, outputs);
    register_parameter("weight", only->weight);
    register_parameter("bias", only->bias);
    return;
  }
  const std::int64_t widths[] = {features, features / 2, features / 4, outputs};
  for (std::size_t i = 0; i < 3; ++i) {
    layers_.push_back(register_module(std::to_string(2 * i), torch::nn::Linear(widths[i], widths[i + 1])));
  }
}

at::Tensor HeadImpl::forward(at::Tensor feature_NF) {
  for (std::size_t i = 0; i < layers_.size(); ++i) feature_NF = layers_[i](i == 0 ? feature_NF : feature_NF.relu());
  return feature_NF;
}

void SideNetworks::initialise(std::uint64_t seed, at::Device device) {
  initialise_parameters(*root_, seed, "init " + name_);
  root_->to(device);
}

void SideNetworks::follow(const at::Tensor& loss, double lr) {
  optimizer_->zero_grad();
  loss.backward();
  optimizer_->set_lr(lr);
  optimizer_->step();
}

void SideNetworks::save(TensorMap& tensors) const {
  for (const auto& [name, tensor] : state_dict_of(*root_)) tensors[name] = tensor;
  if (!optimizer_) return;
  for (const auto& [name, tensor] : optimizer_->state()) tensors[name_ + ".optimizer." + name] = tensor;
}

void SideNetworks::load(const TensorMap& tensors) {
  TensorMap weights, state;
  const std::string prefix = name_ + ".optimizer.";
  for (const auto& [name, own] : state_dict_of(*root_)) {
    if (const auto found = tensors.find(name); found != tensors.end()) weights[name] = found->second;
  }
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(prefix)) state[name.substr(prefix.size())] = tensor;
  }
  load_state_dict(*root_, weights, "networks beside the classifier");
  if (optimizer_) optimizer_->load_state(state);
}

}  // namespace domainfusion
