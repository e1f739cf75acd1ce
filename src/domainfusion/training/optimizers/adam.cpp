#include "domainfusion/training/optimizers/adam.h"

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcdiv.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sqrt.h>

#include <cmath>
#include <map>

namespace domainfusion {
namespace {

constexpr int64_t kParallelGrain = 16384;

struct Scales {
  float beta1, beta2, eps, weight_decay, kept, step_size, inverse_sqrt_correction2;
};

void fused_cpu_step(const at::Tensor& parameter, const at::Tensor& gradient, at::Tensor& exp_avg,
                    at::Tensor& exp_avg_sq, const Scales& s) {
  float* p = parameter.data_ptr<float>();
  const float* g = gradient.data_ptr<float>();
  float* m = exp_avg.data_ptr<float>();
  float* v = exp_avg_sq.data_ptr<float>();
  at::parallel_for(0, parameter.numel(), kParallelGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const float grad = g[i] + s.weight_decay * p[i];
      m[i] = s.beta1 * m[i] + (1 - s.beta1) * grad;
      v[i] = s.beta2 * v[i] + (1 - s.beta2) * grad * grad;
      p[i] = s.kept * p[i] - s.step_size * m[i] / (std::sqrt(v[i]) * s.inverse_sqrt_correction2 + s.eps);
    }
  });
}

// Parameters of one learning rate and step, with their gradients and buffers.
struct Group {
  std::vector<at::Tensor> parameters, gradients, exp_avg, exp_avg_sq;
};

// A few launches for all tensors, which is what counts on a GPU.
void group_step(Group& group, const Scales& s) {
  if (s.weight_decay != 0) group.gradients = at::_foreach_add(group.gradients, group.parameters, s.weight_decay);
  at::_foreach_mul_(group.exp_avg, s.beta1);
  at::_foreach_add_(group.exp_avg, group.gradients, 1 - s.beta1);
  at::_foreach_mul_(group.exp_avg_sq, s.beta2);
  at::_foreach_addcmul_(group.exp_avg_sq, group.gradients, group.gradients, 1 - s.beta2);
  if (s.kept != 1) at::_foreach_mul_(group.parameters, s.kept);
  const std::vector<at::Tensor> denominators = at::_foreach_sqrt(group.exp_avg_sq);
  at::_foreach_mul_(denominators, s.inverse_sqrt_correction2);
  at::_foreach_add_(denominators, s.eps);
  at::_foreach_addcdiv_(group.parameters, group.exp_avg, denominators, -s.step_size);
}

}  // namespace

Adam::Adam(std::vector<at::Tensor> parameters, AdamOptions options)
    : Optimizer(std::move(parameters), options.lr),
      exp_avg_(zero_buffers()),
      exp_avg_sq_(zero_buffers()),
      options_(options) {}

void Adam::step() {
  at::NoGradGuard no_grad;
  ++steps_;
  Scales scales{static_cast<float>(options_.beta1),
                static_cast<float>(options_.beta2),
                static_cast<float>(options_.eps),
                static_cast<float>(options_.decoupled_decay ? 0 : options_.weight_decay),
                1,
                0,
                0};
  const auto scales_at = [&](double lr, int64_t step) {
    const double correction1 = 1 - std::pow(options_.beta1, static_cast<double>(step));
    const double correction2 = 1 - std::pow(options_.beta2, static_cast<double>(step));
    scales.inverse_sqrt_correction2 = static_cast<float>(1 / std::sqrt(correction2));
    scales.kept = static_cast<float>(options_.decoupled_decay ? 1 - lr * options_.weight_decay : 1);
    scales.step_size = static_cast<float>(lr / correction1);
    return scales;
  };
  std::map<std::pair<double, int64_t>, Group> groups;  // by learning rate and step
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor gradient = parameters_[i].grad();
    if (!gradient.defined()) continue;
    ++counts_[i];
    if (parameters_[i].is_cpu() && parameters_[i].is_contiguous()) {
      fused_cpu_step(parameters_[i], gradient.contiguous(), exp_avg_[i], exp_avg_sq_[i],
                     scales_at(lr_of(i), counts_[i]));
      continue;
    }
    Group& group = groups[{lr_of(i), counts_[i]}];
    group.parameters.push_back(parameters_[i]);
    group.gradients.push_back(gradient);
    group.exp_avg.push_back(exp_avg_[i]);
    group.exp_avg_sq.push_back(exp_avg_sq_[i]);
  }
  for (auto& [key, group] : groups) group_step(group, scales_at(key.first, key.second));
}

TensorMap Adam::buffers() const {
  TensorMap state;
  name_buffers(state, "exp_avg", exp_avg_);
  name_buffers(state, "exp_avg_sq", exp_avg_sq_);
  return state;
}

}  // namespace domainfusion
