#include "domainfusion/nn/state_dict.h"

#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

struct Mismatches {
  std::vector<std::string> missing, unexpected, wrong;
};

bool ends_with_any(const std::string& name, const std::vector<std::string>& suffixes) {
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const std::string& s) { return name.ends_with(s); });
}

Mismatches compare(const TensorMap& targets, const TensorMap& weights,
                   const std::vector<std::string>& ignored_suffixes) {
  Mismatches found;
  for (const auto& [name, target] : targets) {
    const auto weight = weights.find(name);
    if (weight == weights.end()) {
      found.missing.push_back(name);
    } else if (weight->second.sizes() != target.sizes()) {
      found.wrong.push_back(fmt::format("{} is [{}], expected [{}]", name, fmt::join(weight->second.sizes(), ", "),
                                        fmt::join(target.sizes(), ", ")));
    } else if (weight->second.is_floating_point() != target.is_floating_point()) {
      found.wrong.push_back(fmt::format("{} is {}, expected {}", name, at::toString(weight->second.scalar_type()),
                                        at::toString(target.scalar_type())));
    }
  }
  for (const auto& [name, weight] : weights) {
    if (weight.numel() == 0) continue;  // exporters mark files by empty tensors
    if (!targets.contains(name) && !ends_with_any(name, ignored_suffixes)) found.unexpected.push_back(name);
  }
  return found;
}

void report(const Mismatches& found, std::string_view subject) {
  std::string message;
  const auto add = [&message](std::string_view kind, const std::vector<std::string>& names) {
    if (!names.empty()) message += fmt::format("\n  {} ({}): {}", kind, names.size(), fmt::join(names, "; "));
  };
  add("missing", found.missing);
  add("unexpected", found.unexpected);
  add("of another shape", found.wrong);
  if (message.empty()) return;
  message =
      fmt::format("{}: the weights do not fit the configuration; use the weights and config that belong together{}",
                  subject, message);
  if (!found.wrong.empty()) throw ShapeError(message);
  throw FormatError(message);
}

void adopt(at::Tensor& target, const at::Tensor& weight, const Placement& placement) {
  const at::ScalarType type = target.is_floating_point() ? placement.dtype : target.scalar_type();
  const bool channels_last = placement.device.is_cuda() && weight.dim() == 4;
  target.set_data(weight.to(placement.device, type)
                      .contiguous(channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous));
}

}  // namespace

void load_state_dict(torch::nn::Module& module, const TensorMap& weights, std::string_view subject,
                     const std::vector<std::string>& ignored_suffixes) {
  const torch::NoGradGuard no_grad;
  TensorMap targets = state_dict_of(module);
  report(compare(targets, weights, ignored_suffixes), subject);
  for (auto& [name, target] : targets) target.copy_(weights.at(name));
}

void adopt_state_dict(torch::nn::Module& module, const TensorMap& weights, std::string_view subject,
                      const std::vector<std::string>& ignored_suffixes, const Placement& placement) {
  const torch::NoGradGuard no_grad;
  report(compare(state_dict_of(module), weights, ignored_suffixes), subject);
  for (auto& item : module.named_parameters()) adopt(item.value(), weights.at(item.key()), placement);
  for (auto& item : module.named_buffers()) adopt(item.value(), weights.at(item.key()), placement);
}

TensorMap parameters_of(const torch::nn::Module& module) {
  TensorMap tensors;
  for (const auto& item : module.named_parameters()) {
    check<Error>(item.value().is_non_overlapping_and_dense(), "the weight {} was released (release_plain_weights)",
                 item.key());
    tensors[item.key()] = item.value().detach();
  }
  return tensors;
}

TensorMap state_dict_of(const torch::nn::Module& module) {
  TensorMap tensors = parameters_of(module);
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value().detach();
  return tensors;
}

std::int64_t parameter_count(const torch::nn::Module& module) {
  std::int64_t count = 0;
  for (const at::Tensor& parameter : module.parameters()) count += parameter.numel();
  return count;
}

}  // namespace domainfusion
