#pragma once
// Exponential moving average of the weights (Polyak and Juditsky 1992), as timm's ModelEmaV2 and ModelEmaV3 keep it.
//
// After every step: average <- d * average + (1 - d) * w, for parameters and floating-point buffers (batch norm's
// statistics); other buffers are copied. The average starts as the weights after the first step, so there is no zero to
// correct for, as Adam must; what is left of that start after t more updates is d^t. With ema_warmup that is kept
// small: d = min(ema_decay, (1 + t) / (10 + t)) at update t = 1, 2, … (TensorFlow's num_updates, ModelEmaV3's
// use_warmup with other constants); without it, d is ema_decay throughout (ModelEmaV2).

#include "domainfusion/training/averaging/weight_averaging.h"

namespace domainfusion {

class Ema : public WeightAveraging {
 public:
  explicit Ema(const AveragingConfig& config) : decay_(config.ema_decay), warmup_(config.ema_warmup) {}

  void after_step(std::int64_t step, const torch::nn::Module& model) override;
  // record: "decay", "n_averaged" (steps), "start_step", "end_step" (from 0).
  AveragedWeights average() const override;

  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 private:
  double decay_now() const;

  double decay_;
  bool warmup_;
  TensorMap average_;
  std::int64_t steps_ = 0;  // whose weights have entered it
};

}  // namespace domainfusion
