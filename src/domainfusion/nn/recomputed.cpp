#include "domainfusion/nn/recomputed.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/autocast.h"

namespace domainfusion {
namespace {

using torch::autograd::variable_list;

thread_local bool recomputes_layers = false;

variable_list leaves_like(const variable_list& inputs) {
  variable_list leaves;
  for (const at::Tensor& input : inputs) leaves.push_back(input.detach().set_requires_grad(input.requires_grad()));
  return leaves;
}

class RecomputedLayer final : public torch::autograd::Node {
 public:
  RecomputedLayer(Layer layer, variable_list leaves, const Placement& precision)
      : layer_(std::move(layer)), leaves_(std::move(leaves)), precision_(precision) {}

  variable_list apply(variable_list&& gradients) override {
    check(static_cast<bool>(layer_), "a recomputed layer's gradient was asked for a second time: its inputs are gone");
    if (!gradients[0].defined()) return variable_list(leaves_.size());
    const at::AutoGradMode with_graph(true);
    at::Tensor output;
    {
      // The backward pass may run on another thread, which knows nothing of the forward pass's precision.
      const Autocast autocast(precision_);
      output = layer_(leaves_);
    }
    // A frozen layer on inputs without a gradient has none.
    if (output.requires_grad()) output.backward(gradients[0]);
    variable_list of_inputs;
    for (const at::Tensor& leaf : leaves_) of_inputs.push_back(leaf.grad());
    return of_inputs;
  }

  void release_variables() override {
    leaves_.clear();
    layer_ = nullptr;
  }

 private:
  Layer layer_;
  variable_list leaves_;
  Placement precision_;
};

}  // namespace

at::Tensor recomputed(const Layer& layer, const std::vector<at::Tensor>& inputs) {
  if (!at::GradMode::is_enabled()) return layer(inputs);
  variable_list leaves = leaves_like(inputs);
  // With gradients on, as in the second time: a layer without them may choose other operations.
  at::Tensor output = layer(leaves).detach();
  const std::shared_ptr<RecomputedLayer> node(
      new RecomputedLayer(layer, std::move(leaves), active_autocast(output.device())), torch::autograd::deleteNode);
  node->set_next_edges(torch::autograd::collect_next_edges(inputs));
  torch::autograd::set_history(output, node);
  return output;
}

RecomputesLayers::RecomputesLayers(bool on) : before_(recomputes_layers) { recomputes_layers = on; }
RecomputesLayers::~RecomputesLayers() { recomputes_layers = before_; }
bool RecomputesLayers::active() { return recomputes_layers; }

}  // namespace domainfusion
