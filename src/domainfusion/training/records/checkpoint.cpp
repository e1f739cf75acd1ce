#include "domainfusion/training/records/checkpoint.h"

#include <torch/types.h>

#include <cstdlib>

#include "domainfusion/core/json_text.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

using nlohmann::json;

void add_prefixed(TensorMap& all, const std::string& prefix, const TensorMap& part) {
  for (const auto& [name, tensor] : part) all[prefix + name] = tensor;
}

TensorMap take_prefixed(const TensorMap& all, const std::string& prefix) {
  TensorMap part;
  for (const auto& [name, tensor] : all) {
    if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor;
  }
  return part;
}

void check_finite(const TensorMap& tensors, const std::filesystem::path& path) {
  for (const auto& [name, tensor] : tensors) {
    check(!tensor.is_floating_point() || torch::isfinite(tensor).all().item<bool>(),
          "'{}' is not written: {} holds values that are not finite: training has diverged; {}", path.string(), name,
          kAfterDivergence);
  }
}

Checkpoint parse_state(const std::filesystem::path& path) {
  const auto file = SafetensorsFile::open(path);
  try {
    const json state = parse_json(file.metadata().at("state"));
    Checkpoint checkpoint;
    checkpoint.step = state.at("step");
    checkpoint.best_step = state.at("best_step");
    checkpoint.best_accuracy = state.at("best_accuracy");
    checkpoint.algorithm_state = state.at("algorithm");
    checkpoint.averaging_state = state.value("averaging", json());
    return checkpoint;
  } catch (const std::exception& error) {
    throw FormatError(fmt::format("checkpoint '{}': its state cannot be read ({})", path.string(), error.what()));
  }
}

}  // namespace

void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint, const Classifier& classifier,
                     const Optimizer& optimizer) {
  TensorMap tensors;
  add_prefixed(tensors, "model.", state_dict_of(*classifier));
  check_finite(tensors, path);
  add_prefixed(tensors, "optimizer.", optimizer.state());
  add_prefixed(tensors, "algorithm.", checkpoint.algorithm_tensors);
  add_prefixed(tensors, "averaging.", checkpoint.averaging_tensors);
  add_prefixed(tensors, "fit.", checkpoint.fit_tensors);
  json state = {{"step", checkpoint.step},
                {"best_step", checkpoint.best_step},
                {"best_accuracy", checkpoint.best_accuracy},
                {"algorithm", checkpoint.algorithm_state}};
  if (!checkpoint.averaging_state.is_null()) state["averaging"] = checkpoint.averaging_state;
  save_tensors(path, tensors, {{"format", "domainfusion checkpoint 1"}, {"state", json_text(state)}});
}

Checkpoint load_checkpoint(const std::filesystem::path& path, Classifier& classifier, Optimizer& optimizer) {
  Checkpoint checkpoint = parse_state(path);
  const TensorMap tensors = load_tensors(path);
  const std::string subject = "checkpoint '" + path.string() + "'";
  load_state_dict(*classifier, take_prefixed(tensors, "model."), subject);
  with_context(subject, [&] { optimizer.load_state(take_prefixed(tensors, "optimizer.")); });
  checkpoint.algorithm_tensors = take_prefixed(tensors, "algorithm.");
  checkpoint.averaging_tensors = take_prefixed(tensors, "averaging.");
  checkpoint.fit_tensors = take_prefixed(tensors, "fit.");
  return checkpoint;
}

void save_model(const std::filesystem::path& path, const Classifier& classifier, std::int64_t step, double accuracy) {
  const TensorMap tensors = state_dict_of(*classifier);
  check_finite(tensors, path);
  save_tensors(path, tensors,
               {{"step", std::to_string(step)}, {"source_validation_accuracy", fmt::format("{}", accuracy)}});
}

void load_model(const std::filesystem::path& path, Classifier& classifier) {
  TensorMap weights = load_tensors(path);
  if (!classifier->named_children().contains(kBesideClassifier))
    std::erase_if(weights,
                  [](const auto& item) { return item.first.starts_with(kBesideClassifier + std::string(".")); });
  load_state_dict(*classifier, weights, "model '" + path.string() + "'");
}

std::optional<std::int64_t> step_of_model(const std::filesystem::path& path) {
  if (!std::filesystem::exists(path)) return std::nullopt;
  const auto file = SafetensorsFile::open(path);
  const auto step = file.metadata().find("step");
  if (step == file.metadata().end()) return std::nullopt;
  return std::strtoll(step->second.c_str(), nullptr, 10);
}

}  // namespace domainfusion
