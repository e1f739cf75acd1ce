#pragma once
// What a method of averaging weights over the course of training is to the Trainer: it watches any algorithm and
// changes nothing in it but, maybe, when it ends.

#include <torch/nn/module.h>

#include <cstdint>
#include <nlohmann/json.hpp>

#include "domainfusion/core/registry.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/training/averaging/averaging_config.h"

namespace domainfusion {

struct AveragedWeights {
  TensorMap weights;  // by state-dict names; parameters, and buffers if has_buffers
  bool has_buffers = false;
  nlohmann::json record;       // what of the run was averaged, for records.jsonl
  std::int64_t next_step = 0;  // the first step that had no part in it
};

class WeightAveraging {
 public:
  virtual ~WeightAveraging() = default;

  // After optimizer step `step` (from 0, each in turn) of `model`, which is only read.
  virtual void after_step(std::int64_t step, const torch::nn::Module& model) = 0;
  // After each validation, before a checkpoint: `loss` is the source validation loss of the model as it is.
  virtual void after_validation(double loss) {}
  // True once training should end because it cannot change the average any more.
  virtual bool ends_training() const { return false; }

  // The average as of now. Needs one step at least, and one validation.
  virtual AveragedWeights average() const = 0;

  // All state; loading it continues identically. The tensors may alias. load: FormatError if anything is missing.
  virtual void save(TensorMap& tensors, nlohmann::json& state) const = 0;
  virtual void load(const TensorMap& tensors, const nlohmann::json& state) = 0;
};

using AveragingRegistry = Registry<WeightAveraging, const AveragingConfig&>;
const AveragingRegistry& averaging_methods();
// nullptr for "none". ConfigError that names the nearest method.
std::unique_ptr<WeightAveraging> make_averaging(const AveragingConfig& config);

}  // namespace domainfusion
