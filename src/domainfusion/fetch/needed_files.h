#pragma once
// Which files of a repository of the hub make up a model: of each part its configuration, and its weights in one format
// and precision.

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// `all`: the repository's files. `model_index`: its model_index.json, or null where it has none and is one network.
// The parts that make images count, of a pipeline of diffusers those for guidance by images and for filtering do not.
// Weights: those of `variant` ("fp16") where the part has it, then those without a variant, then any; safetensors
// before PyTorch's. In the order of `all`. ConfigError if a part lacks weights or the repository is no model in this
// layout.
std::vector<std::string> needed_files(const std::vector<std::string>& all, const nlohmann::json& model_index,
                                      const std::string& variant);

}  // namespace domainfusion
