#include "domainfusion/training/averaging/swad.h"

#include <torch/nn/module.h>
#include <torch/types.h>

#include "domainfusion/core/log.h"
#include "domainfusion/nn/state_dict.h"

namespace domainfusion {
namespace {

using nlohmann::json;

TensorMap on_cpu(const TensorMap& weights) {
  TensorMap moved;
  for (const auto& [name, tensor] : weights) moved[name] = tensor.cpu();
  return moved;
}

std::string closed_name(std::int64_t segment) { return fmt::format("closed.{}", segment); }

}  // namespace

void Swad::Mean::fold(const Mean& segment, std::int64_t first_step) {
  weights.add(segment.weights.mean());
  if (weights.count() == 1) start_step = first_step;
  end_step = segment.end_step;
}

void Swad::after_step(std::int64_t step, const torch::nn::Module& model) {
  if (valley_.dead()) return;
  next_step_ = step + 1;
  running_.weights.add(parameters_of(model));
  if (running_.weights.count() == 1) running_.start_step = step;
  running_.end_step = step;
}

void Swad::after_validation(double loss) {
  if (valley_.dead() || running_.weights.count() == 0) return;
  running_.weights = {on_cpu(running_.weights.mean()), running_.weights.count()};
  closed_[valley_.segments()] = std::move(running_);
  running_ = {};
  const bool before = valley_.converged().has_value();
  const std::vector<std::int64_t> folded = valley_.close_segment(loss);
  if (!before && valley_.converged()) {
    const Mean& start = closed_.at(*valley_.converged());
    final_.weights = {start.weights.mean(), 0};  // counts as no fold: the first one replaces it
    converge_step_ = start.end_step;
  }
  for (const std::int64_t segment : folded) final_.fold(closed_.at(segment), closed_.at(segment).start_step);
  closed_.erase(closed_.begin(), closed_.lower_bound(valley_.oldest_needed()));
}

AveragedWeights Swad::average() const {
  check<Error>(!closed_.empty(), "SWAD has no closed segment yet: the average exists from the first validation on");
  json record = {{"converged", valley_.converged().has_value()}, {"dead", valley_.dead()}};
  if (!valley_.converged()) {
    log_warning("SWAD: the source validation loss has not converged; the last segment's mean stands for the average");
    const Mean& last = closed_.rbegin()->second;
    record.update({{"start_step", last.start_step}, {"end_step", last.end_step}});
    return {last.weights.mean(), false, record, next_step_};
  }
  Mean mean = final_;
  mean.weights = final_.weights.copy();
  for (const std::int64_t segment : valley_.remaining()) {
    // The released code gives the segment's end for its start here.
    mean.fold(closed_.at(segment), closed_.at(segment).end_step);
  }
  record.update({{"converge_step", converge_step_},
                 {"threshold", valley_.threshold()},
                 {"n_averaged", mean.weights.count()},
                 {"start_step", mean.start_step},
                 {"end_step", mean.end_step}});
  return {mean.weights.mean(), false, record, next_step_};
}

void Swad::Mean::save(const std::string& name, TensorMap& tensors, json& state) const {
  for (const auto& [key, tensor] : weights.mean()) tensors[name + "/" + key] = tensor;
  state[name] = {{"count", weights.count()}, {"start_step", start_step}, {"end_step", end_step}};
}

Swad::Mean Swad::Mean::loaded(const std::string& name, const TensorMap& tensors, const json& state) {
  TensorMap mean;
  for (const auto& [key, tensor] : tensors) {
    if (key.starts_with(name + "/")) mean[key.substr(name.size() + 1)] = tensor;
  }
  const json& facts = state.at(name);
  return {{std::move(mean), facts.at("count")}, facts.at("start_step"), facts.at("end_step")};
}

void Swad::save(TensorMap& tensors, json& state) const {
  state = {{"valley", valley_.state()},
           {"next_step", next_step_},
           {"converge_step", converge_step_},
           {"closed", json::array()}};
  running_.save("running", tensors, state);
  final_.save("final", tensors, state);
  for (const auto& [segment, mean] : closed_) {
    state["closed"].push_back(segment);
    mean.save(closed_name(segment), tensors, state);
  }
}

void Swad::load(const TensorMap& tensors, const json& state) {
  try {
    valley_.load(state.at("valley"));
    next_step_ = state.at("next_step");
    converge_step_ = state.at("converge_step");
    running_ = Mean::loaded("running", tensors, state);
    final_ = Mean::loaded("final", tensors, state);
    closed_.clear();
    for (const std::int64_t segment : state.at("closed")) {
      closed_[segment] = Mean::loaded(closed_name(segment), tensors, state);
    }
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("state of SWAD: {}; the checkpoint is of another run, or damaged", error.what()));
  }
}

}  // namespace domainfusion
