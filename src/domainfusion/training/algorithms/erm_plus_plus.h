#pragma once
// ERM++ (Teterwak et al., ERM++: An Improved Baseline for Domain Generalization, WACV 2025) as DomainBed trains it: the
// head alone at first, then all weights; from the 600th step on the model is the mean of the weights. Batch norm's
// statistics, unless frozen, are that model's own. (Its schedule of learning rates by source validation is not part of
// DomainBed's training.)

#include "domainfusion/training/algorithms/shared/domain_algorithm.h"

namespace domainfusion {

class ErmPlusPlus final : public DomainAlgorithm {
 public:
  ErmPlusPlus() : DomainAlgorithm("erm_plus_plus") {}
  void prepare(TrainingContext& context) override;
  void before_step(std::int64_t step) override;
  StepRecord update(std::int64_t step, const Batch& raw) override;
  void begin_evaluation() override { swap_weights(); }
  void end_evaluation() override { swap_weights(); }
  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 protected:
  void options(ConfigFields& fields) override;
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;

 private:
  bool trains_head_alone(std::int64_t step) const { return step <= linear_steps_; }
  void swap_weights();
  void average_weights(std::int64_t step);

  double linear_lr_ = 5e-5;
  std::int64_t linear_steps_ = 500;
  TensorMap averaged_;  // the classifier's state dict
};

}  // namespace domainfusion
