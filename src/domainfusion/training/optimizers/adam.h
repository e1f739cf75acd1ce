#pragma once
// Adam (Kingma and Ba, 2015), and AdamW (Loshchilov and Hutter, 2019).

#include "domainfusion/training/optimizers/optimizer.h"

namespace domainfusion {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;       // added to the gradient (L2), as torch.optim.Adam does
  bool decoupled_decay = false;  // AdamW: weights shrink by lr * weight_decay instead
};

class Adam : public Optimizer {
 public:
  Adam(std::vector<at::Tensor> parameters, AdamOptions options);
  // On CPU one fused pass; numbers equal to torch.optim.Adam and AdamW within rounding.
  void step() override;

 protected:
  TensorMap buffers() const override;  // "exp_avg", "exp_avg_sq"

 private:
  std::vector<at::Tensor> exp_avg_, exp_avg_sq_;
  AdamOptions options_;
};

}  // namespace domainfusion
