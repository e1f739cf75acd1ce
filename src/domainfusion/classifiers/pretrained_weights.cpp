#include "domainfusion/classifiers/pretrained_weights.h"

#include "domainfusion/core/log.h"
#include "domainfusion/io/tensor_file.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

// Replaces the file's head by the classifier's own where they differ in the number of classes only.
void adapt_head(TensorMap& weights, const TensorMap& own, const std::string& head_name, const std::string& subject) {
  const std::string weight = head_name + ".weight", bias = head_name + ".bias";
  if (!weights.count(weight) || !weights.count(bias)) return;
  const at::Tensor& theirs = weights.at(weight);
  const at::Tensor& ours = own.at(weight);
  if (theirs.dim() != 2 || theirs.size(1) != ours.size(1) || theirs.size(0) == ours.size(0)) return;
  log_info("{}: the head '{}' has {} classes, this classifier {}: a new head is drawn from the seed", subject, head_name,
           theirs.size(0), ours.size(0));
  weights[weight] = ours;
  weights[bias] = own.at(bias);
}

}  // namespace

void load_pretrained(torch::nn::Module& classifier, const std::string& head_name, const std::filesystem::path& path) {
  TensorMap weights = load_tensors(path);
  const TensorMap own = state_dict_of(classifier);
  const std::string subject = "weights '" + path.string() + "'";
  adapt_head(weights, own, head_name, subject);
  // Files written before torchvision counted batches lack these counters.
  for (const auto& [name, tensor] : own) {
    if (name.ends_with("num_batches_tracked")) weights.emplace(name, tensor);
  }
  load_state_dict(classifier, weights, subject);
}

}  // namespace domainfusion
