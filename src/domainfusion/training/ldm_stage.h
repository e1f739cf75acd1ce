#pragma once
// One network of a compact LDM in training: parameters, Adam, weight average and step, saved and continued together.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <string>

#include "domainfusion/io/tensor_file.h"
#include "domainfusion/training/adam.h"
#include "domainfusion/training/ldm_pretraining_config.h"

namespace domainfusion {

class LdmStage {
 public:
  // `parameters` (name -> float32 leaf tensor) alias the network's; `name` ("vae", "unet") names the checkpoint.
  LdmStage(std::string name, TensorMap parameters, LdmStageConfig config);

  std::int64_t step() const { return step_; }
  bool finished() const { return step_ >= config_.steps; }

  // One optimizer step on the scalar that `loss` returns (a graph over the parameters); gradients are clipped to norm 1.
  // Returns the loss. Error, before the weights change, if the loss or the gradient norm is not finite.
  double train_step(const std::function<at::Tensor()>& loss);

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
  Adam adam_;
  std::int64_t step_ = 0;
};

}  // namespace domainfusion
