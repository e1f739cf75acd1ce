#include "domainfusion/nn/initialise.h"

#include <torch/torch.h>

#include <cmath>
#include <map>

#include "domainfusion/core/random.h"

namespace domainfusion {
namespace {

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

std::string stem_of(const std::string& name) { return name.substr(0, name.rfind('.') + 1); }

}  // namespace

void initialise_parameters(torch::nn::Module& module, std::uint64_t seed, std::string_view purpose, double embedding_std) {
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

}  // namespace domainfusion
