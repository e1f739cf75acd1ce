#pragma once
// Gradient checkpointing (Chen et al. 2016): a layer whose inner results are thrown away after the forward pass and
// computed a second time in the backward pass. Memory for time; outputs and gradients are those of the plain layer.

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

namespace domainfusion {

using Layer = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

// layer(inputs). Where no gradient is wanted, the plain call. `layer` must give the same numbers when it is called
// again (draws nothing) and is kept until the backward pass, once. Gradients of parameters inside it come with
// Tensor::backward() alone: they are added to .grad there, and torch::autograd::grad does not see them.
at::Tensor recomputed(const Layer& layer, const std::vector<at::Tensor>& inputs);

// While one lives, networks that are built for it (the U-Net) compute their layers by recomputed(). Of this thread.
class RecomputesLayers {
 public:
  explicit RecomputesLayers(bool on = true);
  ~RecomputesLayers();
  RecomputesLayers(const RecomputesLayers&) = delete;
  RecomputesLayers& operator=(const RecomputesLayers&) = delete;

  static bool active();

 private:
  bool before_;
};

}  // namespace domainfusion
