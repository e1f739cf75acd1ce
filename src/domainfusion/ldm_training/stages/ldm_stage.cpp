#include "domainfusion/ldm_training/stages/ldm_stage.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

constexpr double kWarmUpShare = 0.02;
constexpr double kFinalLrShare = 0.02;
constexpr double kMaxGradientNorm = 1.0;

std::vector<at::Tensor> tensors_of(const TensorMap& parameters) {
  std::vector<at::Tensor> list;
  for (const auto& [name, tensor] : parameters) list.push_back(tensor);
  return list;
}

TensorMap copy_of(const TensorMap& tensors) {
  TensorMap copy;
  for (const auto& [name, tensor] : tensors) copy[name] = tensor.detach().clone();
  return copy;
}

void assign(const TensorMap& to, const TensorMap& from, const std::string& prefix = "") {
  torch::NoGradGuard no_grad;
  for (const auto& [name, tensor] : to) {
    const auto found = from.find(prefix + name);
    check<FormatError>(found != from.end(), "checkpoint has no tensor '{}': it is incomplete", prefix + name);
    check<ShapeError>(found->second.sizes() == tensor.sizes(),
                      "checkpoint tensor '{}' has another shape than the network: the options changed since it was "
                      "written; remedy: the same options, or --overwrite",
                      prefix + name);
    at::Tensor(tensor).copy_(found->second);
  }
}

}  // namespace

void check_training_placement(const Placement& placement) {
  check<ConfigError>(
      placement.dtype == at::kFloat || !placement.device.is_cpu(),
      "dtype = {}: on a CPU, libtorch's gradients in the smaller types are not to be trusted (small products come out "
      "not finite); train in float32, with a small batch or micro_batch_size where memory is short",
      name_of(placement.dtype));
  check<ConfigError>(placement.dtype != at::kHalf,
                     "dtype = float16: its gradients lose their small values unless the loss is scaled, which is not "
                     "done here; train in "
                     "bfloat16, whose range is float32's");
}

TensorMap leaves_of(const torch::nn::Module& module) {
  TensorMap leaves;
  for (const auto& item : module.named_parameters()) leaves[item.key()] = item.value();
  return leaves;
}

LdmStage::LdmStage(std::string name, TensorMap parameters, LdmStageConfig config, LdmStagePace pace)
    : name_(std::move(name)),
      parameters_(std::move(parameters)),
      average_(copy_of(parameters_)),
      config_(config),
      pace_(pace),
      adam_(tensors_of(parameters_), {.lr = config.lr, .weight_decay = pace.weight_decay, .decoupled_decay = true}) {}

double LdmStage::learning_rate() const {
  if (pace_.constant_lr) return config_.lr;
  const double done = static_cast<double>(step_) / static_cast<double>(config_.steps);
  const double warm_up = std::min(1.0, (done + 1e-4) / kWarmUpShare);
  const double cosine = 0.5 * (1 + std::cos(std::numbers::pi * done));
  return config_.lr * warm_up * (kFinalLrShare + (1 - kFinalLrShare) * cosine);
}

double LdmStage::train_step(const std::function<at::Tensor(std::int64_t part)>& loss) {
  Ranks* const ranks = current_ranks();
  if (ranks != nullptr && !buckets_) buckets_ = std::make_unique<GradientBuckets>(tensors_of(parameters_), *ranks);
  adam_.zero_grad();
  double number = 0;
  for (std::int64_t part = 0; part < pace_.parts; ++part) {
    const at::Tensor value = loss(part);
    if (buckets_ && part == pace_.parts - 1) buckets_->begin();
    value.backward();
    number += value.item<double>();
  }
  if (ranks != nullptr) {
    buckets_->finish();
    const at::Tensor sum = torch::tensor({number}, torch::kFloat64);
    ranks->sum(sum);
    number = sum.item<double>();
  }
  const double norm = adam_.clip_grad_norm(kMaxGradientNorm);
  check(std::isfinite(number) && std::isfinite(norm),
        "{}: loss {} with gradient norm {} at step {}: training diverged; remedy: a smaller lr", name_, number, norm,
        step_);
  adam_.set_lr(learning_rate());
  adam_.step();
  ++step_;
  update_average();
  return number;
}

void LdmStage::update_average() {
  torch::NoGradGuard no_grad;
  // A young average would remember the random start: its window grows with the steps taken.
  const double decay =
      std::min(config_.ema_decay, (1.0 + static_cast<double>(step_)) / (10.0 + static_cast<double>(step_)));
  const std::vector<at::Tensor> averages = tensors_of(average_);
  at::_foreach_add_(averages, at::_foreach_sub(tensors_of(parameters_), averages), 1 - decay);
}

void LdmStage::copy_from_first(Ranks& ranks) {
  const torch::NoGradGuard no_grad;
  for (const TensorMap& tensors : {parameters_, average_, adam_.state()}) {
    for (const auto& [name, tensor] : tensors) ranks.copy_from_first(tensor.detach());
  }
  const at::Tensor step = torch::tensor({step_}, torch::kInt64);
  ranks.copy_from_first(step);
  step_ = step.item<std::int64_t>();
  TensorMap adam = adam_.state();
  adam["steps"] = step;
  adam_.load_state(adam);
}

void LdmStage::use_average() { assign(parameters_, average_); }

void LdmStage::with_average(const std::function<void()>& action) {
  const TensorMap trained = copy_of(parameters_);
  use_average();
  try {
    action();
  } catch (...) {
    assign(parameters_, trained);
    throw;
  }
  assign(parameters_, trained);
}

void LdmStage::save(const std::filesystem::path& path) const {
  TensorMap tensors;
  for (const auto& [name, tensor] : parameters_) tensors["model." + name] = tensor.detach();
  for (const auto& [name, tensor] : average_) tensors["average." + name] = tensor;
  for (const auto& [name, tensor] : adam_.state()) tensors["adam." + name] = tensor;
  tensors["step"] = torch::tensor({step_}, torch::kInt64);
  save_tensors(path, tensors, {{"stage", name_}});
}

void LdmStage::load(const std::filesystem::path& path) {
  with_context(path.string(), [&] {
    const TensorMap tensors = load_tensors(path);
    assign(parameters_, tensors, "model.");
    assign(average_, tensors, "average.");
    TensorMap adam;
    for (const auto& [name, tensor] : tensors) {
      if (name.starts_with("adam.")) adam[name.substr(5)] = tensor;
    }
    adam_.load_state(adam);
    const auto step = tensors.find("step");
    check<FormatError>(step != tensors.end(), "checkpoint has no tensor 'step': it is incomplete");
    step_ = step->second.item<std::int64_t>();
  });
}

}  // namespace domainfusion
