#include "domainfusion/nn/initialise.h"

#include <fmt/format.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace domainfusion {
namespace {

bool contains_any(std::string_view name, std::initializer_list<std::string_view> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) { return name.find(part) != name.npos; });
}

bool ends_a_branch(std::string_view name) { return contains_any(name, {"conv2.", "to_out."}); }

bool lies_on_the_trunk(std::string_view name) {
  return contains_any(name, {"conv_in.", "conv_shortcut.", "samplers.", "conv_out.", "quant_conv."});
}

std::string stem_of(const std::string& name) { return name.substr(0, name.rfind('.') + 1); }

}  // namespace

void fill_uniform(at::Tensor parameter, double bound, RandomStream& stream) {
  const at::Tensor values = torch::empty(parameter.sizes(), torch::kFloat32);
  float* out = values.data_ptr<float>();
  for (std::int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<float>(stream.uniform(-bound, bound));
  parameter.copy_(values);
}

void fill_normal(at::Tensor parameter, double deviation, RandomStream& stream) {
  const at::Tensor values = torch::empty(parameter.sizes(), torch::kFloat32);
  stream.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  parameter.copy_(values.mul_(deviation));
}

void initialise_parameters(torch::nn::Module& module, std::uint64_t seed, std::string_view purpose,
                           double embedding_std) {
  const torch::NoGradGuard no_grad;
  std::map<std::string, double> bounds;  // of the layers that have fans, by the layer's name
  for (const auto& item : module.named_parameters()) {
    const at::Tensor& weight = item.value();
    if (weight.dim() >= 2) bounds[stem_of(item.key())] = 1.0 / std::sqrt(static_cast<double>(weight[0].numel()));
  }
  for (const auto& item : module.named_parameters()) {
    const std::string& name = item.key();
    at::Tensor parameter = item.value();
    RandomStream stream(seed, fmt::format("{}/{}", purpose, name));
    const auto bound = bounds.find(stem_of(name));
    if (name.ends_with("embedding.weight")) {
      fill_normal(parameter, embedding_std, stream);
    } else if (bound != bounds.end()) {
      fill_uniform(parameter, bound->second, stream);
    } else {
      parameter.fill_(name.ends_with("weight") ? 1.0 : 0.0);
    }
  }
}

void start_as_trunk(torch::nn::Module& module) {
  const torch::NoGradGuard no_grad;
  for (const auto& item : module.named_parameters()) {
    at::Tensor parameter = item.value();
    if (ends_a_branch(item.key())) {
      parameter.zero_();
    } else if (parameter.dim() == 4 && lies_on_the_trunk(item.key())) {
      parameter.mul_(std::sqrt(3.0));  // from U(-1/sqrt(fan_in), 1/sqrt(fan_in)) to variance 1/fan_in
    }
  }
}

}  // namespace domainfusion
