#pragma once
// Weights that are tried out and put back.

#include <torch/nn/module.h>

#include <utility>
#include <vector>

namespace domainfusion {

// Remembers the parameters and buffers of a module, which stay where they are in memory, and puts them back at its end.
// Not while a gradient is wanted that was not taken yet: what is put back counts as a change of the weights.
class WeightsScope {
 public:
  explicit WeightsScope(torch::nn::Module& module);
  ~WeightsScope() { restore(); }
  WeightsScope(const WeightsScope&) = delete;
  WeightsScope& operator=(const WeightsScope&) = delete;

  void restore();
  // Buffers (batch norm's statistics) stay as they are from here on.
  void keep_buffers() { remembered_.resize(parameters_); }
  // Every floating value becomes remembered + share * (now - remembered), which is then remembered.
  void move_by(double share);

 private:
  std::vector<std::pair<at::Tensor, at::Tensor>> remembered_;  // the module's own, a copy; parameters first
  std::size_t parameters_ = 0;
};

}  // namespace domainfusion
