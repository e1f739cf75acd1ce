#pragma once
// Networks beside the classifier: DomainBed's MLP, a second head, and what holds those with an optimizer of their own.

#include <torch/nn/module.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/pimpl.h>

#include <memory>
#include <string>
#include <vector>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/training/algorithms/shared/step_draws.h"
#include "domainfusion/training/optimizers/optimizer.h"

namespace domainfusion {

struct MlpConfig {
  std::int64_t width = 256, depth = 3;  // layers, the first and the last included
  double dropout = 0;
  // "mlp_width", "mlp_depth", "mlp_dropout".
  void describe(ConfigFields& fields);
};

// DomainBed's MLP: linear layers "input", "hiddens.I", "output", with dropout and ReLU between.
class MlpImpl : public torch::nn::Module {
 public:
  MlpImpl(std::int64_t inputs, std::int64_t outputs, const MlpConfig& config);
  // [N, inputs] -> [N, outputs]; dropout, in train mode, by `draws`.
  at::Tensor forward(at::Tensor x, StepDraws& draws);

 private:
  std::vector<torch::nn::Linear> layers_;
  double dropout_;
};
TORCH_MODULE(Mlp);

// A head like a classifier's: "weight" and "bias", or those of layers 0, 2 and 4 with ReLU between.
class HeadImpl : public torch::nn::Module {
 public:
  HeadImpl(std::int64_t features, std::int64_t outputs, HeadKind kind);
  at::Tensor forward(at::Tensor feature_NF);

 private:
  std::vector<torch::nn::Linear> layers_;
};
TORCH_MODULE(Head);

// Modules that are trained by themselves, and their optimizer.
class SideNetworks {
 public:
  // `name` opens the names of what is saved of the optimizer.
  explicit SideNetworks(std::string name) : name_(std::move(name)) {}

  template <class Module>
  void add(const std::string& name, const Module& module) {
    root_->register_module(name, module);
  }
  // Draws weights as torch does by default, from (seed, name and parameter's name), and moves them.
  void initialise(std::uint64_t seed, at::Device device);
  std::vector<at::Tensor> parameters() const { return root_->parameters(); }
  void set_optimizer(std::unique_ptr<Optimizer> optimizer) { optimizer_ = std::move(optimizer); }
  Optimizer& optimizer() { return *optimizer_; }
  // Zero gradients, backward, a step at that rate.
  void follow(const at::Tensor& loss, double lr);

  // Under the modules' names, and NAME.optimizer.… of the optimizer if there is one.
  void save(TensorMap& tensors) const;
  // FormatError if something is missing.
  void load(const TensorMap& tensors);

 private:
  std::string name_;
  std::shared_ptr<torch::nn::Module> root_ = std::make_shared<torch::nn::Module>();
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace domainfusion
