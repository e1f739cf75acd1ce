#pragma once
// A function of tensors whose kernels a GPU is given in one go, as a CUDA graph.

#include <ATen/core/Tensor.h>

#include <functional>
#include <memory>
#include <vector>

namespace domainfusion {

// Calls `function`. On a GPU, and while gradients are off, the second call with inputs of equal shapes and types
// records what it launches; later ones copy their inputs to where the recording reads them and replay it, which spares
// the launches one by one. Elsewhere, under Autocast and while PlainOperations lives, it is a plain call. Precondition:
// the function launches the same work for equal shapes, reads nothing but its inputs and tensors that stay where they
// are as long as this object lives, and never waits for the GPU.
class GraphedFunction {
 public:
  using Function = std::function<at::Tensor(const std::vector<at::Tensor>& inputs)>;

  explicit GraphedFunction(Function function);
  ~GraphedFunction();
  GraphedFunction(const GraphedFunction&) = delete;
  GraphedFunction& operator=(const GraphedFunction&) = delete;

  // A tensor of the caller's own. Thread-safe.
  at::Tensor operator()(const std::vector<at::Tensor>& inputs);
  // Shapes that are recorded at present: of those that were used last, a few.
  std::size_t recordings() const;

 private:
  struct Recordings;
  Function function_;
  std::unique_ptr<Recordings> recordings_;
};

}  // namespace domainfusion
