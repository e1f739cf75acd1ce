#pragma once
// What turns gradients into steps, with its whole state in the open, so that a checkpoint holds it to the last bit.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

class Optimizer {
 public:
  // `parameters`: float32 leaf tensors with requires_grad; the list is kept (the tensors alias the module's).
  Optimizer(std::vector<at::Tensor> parameters, double lr)
      : parameters_(std::move(parameters)), lr_(lr), lr_multipliers_(parameters_.size(), 1.0) {
    counts_.resize(parameters_.size());
  }
  virtual ~Optimizer() = default;

  void zero_grad();
  // One update with the gradients now in the parameters; parameters without a gradient are left alone.
  virtual void step() = 0;
  // Scales all gradients together so that their common L2 norm is at most `max_norm`; returns the norm before.
  double clip_grad_norm(double max_norm);

  // From here on the learning rate of `parameters` (of those given to the constructor) is `multiplier` >= 0 times lr(),
  // as in a parameter group of torch.optim. ConfigError if one is not among them.
  void scale_lr(const std::vector<at::Tensor>& parameters, double multiplier);

  // Forgets all steps, as if newly made; learning rates stay.
  void reset();

  const std::vector<at::Tensor>& parameters() const { return parameters_; }
  double lr() const { return lr_; }
  void set_lr(double lr) { lr_ = lr; }
  std::int64_t steps_taken() const { return steps_; }

  // "NAME.I" of each buffer per parameter index, "steps", and "counts", how often each parameter was changed; buffers
  // alias the optimizer's.
  TensorMap state() const;
  // FormatError if a tensor is missing (without "counts", which older files have not, all are "steps"), ShapeError if
  // one has another shape.
  void load_state(const TensorMap& state);

 protected:
  virtual TensorMap buffers() const = 0;
  // Zeros like each parameter.
  std::vector<at::Tensor> zero_buffers() const;
  // Of the parameter of that index.
  double lr_of(std::size_t i) const { return lr_ * lr_multipliers_[i]; }
  static void name_buffers(TensorMap& state, const std::string& name, const std::vector<at::Tensor>& buffers);

  std::vector<at::Tensor> parameters_;
  double lr_;
  std::int64_t steps_ = 0;
  std::vector<std::int64_t> counts_;  // steps in which a parameter had a gradient

 private:
  std::vector<double> lr_multipliers_;
};

}  // namespace domainfusion
