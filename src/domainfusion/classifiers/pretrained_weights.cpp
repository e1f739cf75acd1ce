#include "domainfusion/classifiers/pretrained_weights.h"

#include <algorithm>
#include <set>
#include <vector>

#include "domainfusion/core/error.h"
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

TensorMap without_prefix(const TensorMap& all, const std::string& prefix) {
  TensorMap part;
  for (const auto& [name, tensor] : below(all, prefix)) part[name.substr(prefix.size())] = tensor;
  return part;
}

// A network among the tensors of a file: those behind `prefix`, as the backbone adapts them.
struct FoundNetwork {
  std::string prefix;
  TensorMap tensors;
};

// Looks for the tensors that a backbone needs (`needed`: their names) in a file of more.
class NetworkSearch {
 public:
  NetworkSearch(const TensorMap& all, const Backbone& backbone, std::vector<std::string> needed)
      : all_(all), backbone_(backbone), needed_(std::move(needed)) {}

  // The file itself if it fits; else every prefix behind which a whole network stands; else the prefix that all names
  // share, if some of what is needed stands behind it, for the message about the rest.
  std::vector<FoundNetwork> networks() const {
    FoundNetwork whole = behind("");
    const std::size_t found_in_whole = count_found(whole);
    if (found_in_whole == needed_.size()) return {whole};
    std::vector<FoundNetwork> fitting;
    for (const auto& [prefix, count] : names_behind_prefixes()) {
      if (2 * count < needed_.size()) continue;  // a network in other names has fewer of them, where they are joined
      FoundNetwork network = behind(prefix);
      if (count_found(network) == needed_.size()) fitting.push_back(std::move(network));
    }
    if (!fitting.empty()) return fitting;
    FoundNetwork shared = behind(shared_prefix());
    return {count_found(shared) > found_in_whole ? shared : whole};
  }

 private:
  FoundNetwork behind(const std::string& prefix) const {
    FoundNetwork network{prefix, without_prefix(all_, prefix)};
    backbone_.adapt_weights(network.tensors);
    return network;
  }
  std::size_t count_found(const FoundNetwork& network) const {
    return static_cast<std::size_t>(std::count_if(
        needed_.begin(), needed_.end(), [&](const std::string& name) { return network.tensors.contains(name); }));
  }
  std::map<std::string, std::size_t> names_behind_prefixes() const {
    std::map<std::string, std::size_t> counts;
    for (const auto& [name, tensor] : all_) {
      for (std::size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        ++counts[name.substr(0, dot + 1)];
      }
    }
    return counts;
  }
  std::string shared_prefix() const {
    std::string shared;
    for (const auto& [prefix, count] : names_behind_prefixes()) {
      if (count == all_.size() && prefix.size() > shared.size()) shared = prefix;
    }
    return shared;
  }

  const TensorMap& all_;
  const Backbone& backbone_;
  std::vector<std::string> needed_;
};

// Beginnings of names, for people.
std::string first_levels(const TensorMap& all) {
  std::set<std::string> levels;
  for (const auto& [name, tensor] : all) levels.insert(name.substr(0, name.find('.')));
  constexpr std::size_t kMostNamed = 20;
  std::vector<std::string> named(levels.begin(), levels.end());
  const bool all_named = named.size() <= kMostNamed;
  named.resize(std::min(named.size(), kMostNamed));
  return fmt::format("{}{}", fmt::join(named, ", "), all_named ? "" : ", …");
}

// The tensors whose names begin with `key` (at a whole level), all of them if it is empty.
TensorMap chosen_tensors(TensorMap all, std::string key, const std::string& subject) {
  if (key.empty()) return all;
  if (!key.ends_with('.')) key += '.';
  TensorMap chosen = below(all, key);
  check<ConfigError>(!chosen.empty(), "{}: classifier.weights_key = {}: no name begins so; names begin with {}",
                     subject, key.substr(0, key.size() - 1), first_levels(all));
  return chosen;
}

TensorMap network_of(const TensorMap& all, const torch::nn::Module& classifier, const Backbone& backbone,
                     const std::string& subject) {
  std::vector<std::string> needed;
  for (const auto& [name, tensor] : state_dict_of(classifier)) {
    if (!name.starts_with(backbone.head_name() + ".")) needed.push_back(name);
  }
  const std::vector<FoundNetwork> networks = NetworkSearch(all, backbone, std::move(needed)).networks();
  if (networks.size() > 1) {
    std::vector<std::string> prefixes;
    for (const FoundNetwork& network : networks)
      prefixes.push_back(network.prefix.substr(0, network.prefix.size() - 1));
    throw ConfigError(fmt::format("{}: it holds several networks that fit: {}; choose one with classifier.weights_key",
                                  subject, fmt::join(prefixes, ", ")));
  }
  const std::string& prefix = networks[0].prefix;
  const std::size_t left_out = all.size() - below(all, prefix).size();
  if (!prefix.empty()) {
    log_info("{}: names begin with '{}', which is taken off{}", subject, prefix,
             left_out == 0 ? "" : fmt::format("; {} tensors with other names are left out", left_out));
  }
  return networks[0].tensors;
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

void load_pretrained(torch::nn::Module& classifier, const Backbone& backbone, const std::filesystem::path& path,
                     const std::string& key) {
  const std::string subject = "weights '" + path.string() + "'";
  TensorMap weights = network_of(chosen_tensors(load_tensors(path), key, subject), classifier, backbone, subject);
  adapt_head(weights, state_dict_of(classifier), backbone.head_name(), subject);
  load_state_dict(classifier, weights, subject);
}

}  // namespace domainfusion
