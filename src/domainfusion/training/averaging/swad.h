#pragma once
// SWAD: Stochastic Weight Averaging Densely (Cha et al., NeurIPS 2021), as released (khanrc/swad 252190e).
//
// The weights after every step enter the mean of the running segment; a validation closes the segment; the loss valley
// says which segments' means enter the final mean, each with equal weight. Parameters alone are averaged.
//
// Memory: about max(n_converge, n_tolerance) + 2 copies of the parameters, all but one on the CPU.

#include <map>

#include "domainfusion/training/averaging/running_average.h"
#include "domainfusion/training/averaging/weight_averaging.h"

namespace domainfusion {

class Swad : public WeightAveraging {
 public:
  explicit Swad(const AveragingConfig& config) : valley_(config.valley), stop_when_dead_(config.stop_when_dead) {}

  void after_step(std::int64_t step, const torch::nn::Module& model) override;
  void after_validation(double loss) override;
  bool ends_training() const override { return stop_when_dead_ && valley_.dead(); }

  // record: "converged", "dead", and, if converged, "converge_step", "threshold" and "n_averaged" (folds; segments may
  // count twice); "start_step" and "end_step" (steps from 0; names of the released code). If the loss never converged:
  // the last closed segment's mean.
  AveragedWeights average() const override;

  void save(TensorMap& tensors, nlohmann::json& state) const override;
  void load(const TensorMap& tensors, const nlohmann::json& state) override;

 private:
  struct Mean {
    RunningAverage weights;
    std::int64_t start_step = -1, end_step = -1;

    void fold(const Mean& segment, std::int64_t first_step);
    void save(const std::string& name, TensorMap& tensors, nlohmann::json& state) const;
    static Mean loaded(const std::string& name, const TensorMap& tensors, const nlohmann::json& state);
  };

  LossValley valley_;
  bool stop_when_dead_;
  std::int64_t next_step_ = 0, converge_step_ = -1;
  Mean running_;                         // the open segment
  std::map<std::int64_t, Mean> closed_;  // by number: those that the valley may still ask for
  Mean final_;                           // empty before convergence
};

}  // namespace domainfusion
