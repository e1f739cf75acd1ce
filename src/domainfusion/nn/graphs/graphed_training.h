#pragma once
// A function that is trained, whose kernels, and those of its gradient, a GPU is given in one go each, as CUDA graphs.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace domainfusion {

// Calls `function`, which is differentiable once, in `parameters`. On a GPU, and while gradients are on, the second
// call with inputs of equal shapes and types records what it and its gradient launch; later ones replay both.
// Elsewhere, while PlainOperations lives, for inputs that take a gradient themselves, and while the result of the call
// before still waits for its gradient, it is a plain call. Precondition: the function launches the same work for equal
// shapes, reads nothing but its inputs and tensors that stay where they are as long as this object lives, changes
// nothing but `buffers` (batch norm's statistics), and never waits for the GPU.
class GraphedTraining {
 public:
  using Function = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

  GraphedTraining(Function function, std::vector<at::Tensor> parameters, std::vector<at::Tensor> buffers = {});
  ~GraphedTraining();
  GraphedTraining(const GraphedTraining&) = delete;
  GraphedTraining& operator=(const GraphedTraining&) = delete;

  // One thread at a time.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs);
  std::size_t recordings() const;

 private:
  struct Recordings;
  Function function_;
  std::vector<at::Tensor> parameters_, buffers_;
  std::unique_ptr<Recordings> recordings_;
};

}  // namespace domainfusion
