#pragma once
// Stochastic gradient descent with momentum, as torch.optim.SGD: m <- momentum * m + g, w <- w - lr * m.

#include "domainfusion/training/optimizers/optimizer.h"

namespace domainfusion {

struct SgdOptions {
  double lr = 1e-2;
  double momentum = 0;
  bool nesterov = false;    // w <- w - lr * (g + momentum * m)
  double weight_decay = 0;  // added to the gradient (L2)
};

class Sgd : public Optimizer {
 public:
  Sgd(std::vector<at::Tensor> parameters, SgdOptions options);
  // Numbers equal to torch.optim.SGD within rounding.
  void step() override;

 protected:
  // "momentum_buffer"; none without momentum.
  TensorMap buffers() const override;

 private:
  SgdOptions options_;
  std::vector<at::Tensor> momentum_;
};

}  // namespace domainfusion
