#pragma once
// One network of a compact LDM in training: parameters, Adam, weight average and step, saved and continued together.

#include <ATen/core/Tensor.h>
#include <torch/nn/module.h>

#include <filesystem>
#include <functional>
#include <string>

#include "domainfusion/core/machine/placement.h"
#include "domainfusion/distributed/gradient_buckets.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/ldm_training/options/ldm_pretraining_config.h"
#include "domainfusion/training/optimizers/adam.h"

namespace domainfusion {

// What finetuning does otherwise than pretraining.
struct LdmStagePace {
  bool constant_lr = false;  // lr in every step, instead of warm-up and cosine
  double weight_decay = 0;   // decoupled (AdamW, Loshchilov and Hutter 2019)
  std::int64_t parts = 1;    // of a batch, whose gradients are added up
};

// ConfigError for a 16-bit type on a CPU, where libtorch's gradients of such types are not to be trusted, and for
// float16.
void check_training_placement(const Placement& placement);

// The parameters of `module`, by name, as the leaves that gradients are taken of.
TensorMap leaves_of(const torch::nn::Module& module);

class LdmStage {
 public:
  // `parameters` (name -> float32 leaf tensor) alias the network's; `name` ("vae", "unet") names the checkpoint.
  LdmStage(std::string name, TensorMap parameters, LdmStageConfig config, LdmStagePace pace = {});

  std::int64_t step() const { return step_; }
  bool finished() const { return step_ >= config_.steps; }

  // One optimizer step on the sum of the scalars that `loss` returns for the parts 0, 1, … of the batch (each a graph
  // over the parameters, gone before the next is made); gradients are clipped to norm 1. Returns the sum. Error, before
  // the weights change, if it or the gradient norm is not finite. Among ranks (current_ranks()) each gives its share of
  // the scalars, and all take the step of their sum.
  double train_step(const std::function<at::Tensor(std::int64_t part)>& loss);

  // Takes over what rank 0 holds.
  void copy_from_first(Ranks& ranks);

  // Copies the weight average into the network; the stage is over after that.
  void use_average();
  // Runs `action` with the weight average in the network and puts the trained weights back afterwards.
  void with_average(const std::function<void()>& action);

  void save(const std::filesystem::path& path) const;  // atomic; IoError
  void load(const std::filesystem::path& path);        // IoError, FormatError, ShapeError

 private:
  double learning_rate() const;
  void update_average();

  std::string name_;
  TensorMap parameters_, average_;
  LdmStageConfig config_;
  LdmStagePace pace_;
  Adam adam_;
  std::int64_t step_ = 0;
  std::unique_ptr<GradientBuckets> buckets_;  // among ranks
};

}  // namespace domainfusion
