#pragma once
// Adam (Kingma and Ba, 2015) with its whole state in the open, so that a checkpoint holds it to the last bit.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "domainfusion/io/tensor_file.h"

namespace domainfusion {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // added to the gradient (L2), as torch.optim.Adam does
};

class Adam {
 public:
  // `parameters`: float32 leaf tensors with requires_grad; the list is kept (the tensors alias the module's).
  Adam(std::vector<at::Tensor> parameters, AdamOptions options);

  void zero_grad();
  // One update with the gradients now in the parameters; parameters without a gradient are left alone. On CPU one fused pass,
  // numbers equal to torch.optim.Adam within rounding.
  void step();

  double lr() const { return options_.lr; }
  void set_lr(double lr) { options_.lr = lr; }
  std::int64_t steps_taken() const { return steps_; }

  // "exp_avg.I", "exp_avg_sq.I" per parameter index and "steps"; the tensors alias the optimizer's.
  TensorMap state() const;
  // FormatError if a tensor is missing, ShapeError if one has another shape.
  void load_state(const TensorMap& state);

 private:
  std::vector<at::Tensor> parameters_, exp_avg_, exp_avg_sq_;
  AdamOptions options_;
  std::int64_t steps_ = 0;
};

}  // namespace domainfusion
