#include "domainfusion/classifiers/pretrained_weights.h"

#include "domainfusion/core/log.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

TensorMap below(const TensorMap& all, const std::string& prefix) {
  TensorMap part;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) part[name] = tensor;
  }
  return part;
}

bool same_shapes(const TensorMap& a, const TensorMap& b) {
  if (a.size() != b.size()) return false;
  for (const auto& [name, tensor] : a) {
    if (!b.count(name) || b.at(name).sizes() != tensor.sizes()) return false;
  }
  return true;
}

// "of 1000 classes", where it is a linear head.
std::string described(const TensorMap& head, const std::string& name) {
  const auto bias = head.find(name + ".bias");
  return bias == head.end() ? "of another form" : fmt::format("of {} classes", bias->second.numel());
}

// Replaces the file's head by the classifier's own unless they have the same form.
void adapt_head(TensorMap& weights, const TensorMap& own, const std::string& name, const std::string& subject) {
  const TensorMap theirs = below(weights, name + "."), ours = below(own, name + ".");
  if (same_shapes(theirs, ours)) return;
  log_info("{}: {}; a new head '{}' is drawn from the seed", subject,
           theirs.empty() ? "it holds no head"
                          : "its head is " + described(theirs, name) + ", this one " + described(ours, name),
           name);
  for (const auto& [key, tensor] : theirs) weights.erase(key);
  weights.insert(ours.begin(), ours.end());
}

}  // namespace

void load_pretrained(torch::nn::Module& classifier, const Backbone& backbone, const std::filesystem::path& path) {
  TensorMap weights = load_tensors(path);
  const std::string subject = "weights '" + path.string() + "'";
  backbone.adapt_weights(weights);
  adapt_head(weights, state_dict_of(classifier), backbone.head_name(), subject);
  load_state_dict(classifier, weights, subject);
}

}  // namespace domainfusion
