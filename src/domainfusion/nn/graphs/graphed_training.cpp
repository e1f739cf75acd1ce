#include "domainfusion/nn/graphs/graphed_training.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/inference.h"

#ifdef DOMAINFUSION_CUDA
#include "domainfusion/nn/graphs/recording.h"
#endif

namespace domainfusion {

#ifdef DOMAINFUSION_CUDA

namespace {

using torch::autograd::variable_list;

bool can_be_recorded_with_gradient(const std::vector<at::Tensor>& inputs) {
  return at::GradMode::is_enabled() && !PlainOperations::active() && are_on_one_gpu(inputs) &&
         std::none_of(inputs.begin(), inputs.end(), [](const at::Tensor& input) { return input.requires_grad(); });
}

struct Recording {
  explicit Recording(RecordedInputs first)
      : inputs(std::move(first)), precision(active_autocast(inputs.device()).dtype) {}
  RecordedInputs inputs;
  at::ScalarType precision;
  at::Tensor output;                  // where the forward graph writes
  at::Tensor gradient_of_output;      // where the backward graph reads
  std::vector<at::Tensor> gradients;  // where it writes; undefined for parameters without influence
  std::unique_ptr<at::cuda::CUDAGraph> forward, backward;
};

class ReplayedGradient final : public torch::autograd::Node {
 public:
  ReplayedGradient(std::shared_ptr<Recording> recording, std::vector<at::Tensor> parameters)
      : recording_(std::move(recording)), parameters_(std::move(parameters)) {}

  variable_list apply(variable_list&& gradients) override {
    check(!taken_, "the gradient of a recorded function was asked for a second time: what it needs is overwritten");
    taken_ = true;
    if (!gradients[0].defined()) return variable_list(parameters_.size());
    const torch::NoGradGuard no_grad;
    recording_->gradient_of_output.copy_(gradients[0]);
    recording_->backward->replay();
    variable_list of_parameters;
    // Not clones: a parameter without a gradient takes over the tensor as it is.
    for (const at::Tensor& gradient : recording_->gradients)
      of_parameters.push_back(gradient.defined() ? gradient.detach() : gradient);
    return of_parameters;
  }

 private:
  std::shared_ptr<Recording> recording_;
  std::vector<at::Tensor> parameters_;
  bool taken_ = false;
};

// Gradients that are being added up may lie where both replays write.
void keep_earlier_gradients(const Recording& recording, const std::vector<at::Tensor>& parameters) {
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    at::Tensor& earlier = parameters[i].mutable_grad();
    if (earlier.defined() && recording.gradients[i].defined() && earlier.is_alias_of(recording.gradients[i]))
      earlier = earlier.clone();
  }
}

// Tensors with the values that they have now, at its end.
class KeptValues {
 public:
  explicit KeptValues(const std::vector<at::Tensor>& tensors) : tensors_(tensors) {
    for (const at::Tensor& tensor : tensors) values_.push_back(tensor.detach().clone());
  }
  ~KeptValues() {
    const torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < tensors_.size(); ++i) tensors_[i].detach().copy_(values_[i]);
  }

 private:
  const std::vector<at::Tensor>& tensors_;
  std::vector<at::Tensor> values_;
};

}  // namespace

struct GraphedTraining::Recordings {
  RecordingList<Recording> list;
  std::weak_ptr<torch::autograd::Node>
      last;  // alive: its gradient may still be asked for, which needs what its forward pass left

  static std::vector<at::Tensor> gradients_of(const at::Tensor& output, const std::vector<at::Tensor>& parameters,
                                              const at::Tensor& gradient) {
    return torch::autograd::grad({output}, parameters, {gradient}, false, false, true);
  }

  static void record(const GraphedTraining& owner, Recording& recording) {
    const std::vector<at::Tensor>& inputs = recording.inputs.tensors();
    const KeptValues kept(owner.buffers_);
    const RecordingStream stream(recording.inputs.device());
    at::Tensor output = owner.function_(inputs);  // libraries set themselves up for this stream
    gradients_of(output, owner.parameters_, torch::ones_like(output));
    stream.synchronize();
    recording.gradient_of_output = torch::zeros_like(output);
    const at::cuda::MempoolId_t pool = at::cuda::graph_pool_handle();
    auto forward = std::make_unique<at::cuda::CUDAGraph>(), backward = std::make_unique<at::cuda::CUDAGraph>();
    at::autocast::clear_cache();  // weights are cast in the graph, each time anew
    stream.record(*forward, pool, [&] { output = owner.function_(inputs); });
    stream.record(*backward, pool,
                  [&] { recording.gradients = gradients_of(output, owner.parameters_, recording.gradient_of_output); });
    at::autocast::clear_cache();
    recording.output = output.detach();
    recording.forward = std::move(forward);
    recording.backward = std::move(backward);
  }

  at::Tensor call(const GraphedTraining& owner, const std::vector<at::Tensor>& inputs) {
    if (!last.expired()) return owner.function_(inputs);
    const at::Device device = inputs.front().device();
    const c10::cuda::CUDAGuard on_device(device);
    const std::shared_ptr<Recording> recording = list.find_or_add(inputs);
    if (!recording || recording->precision != active_autocast(device).dtype) return owner.function_(inputs);
    if (!recording->forward) record(owner, *recording);
    keep_earlier_gradients(*recording, owner.parameters_);
    recording->inputs.take(inputs);
    recording->forward->replay();
    at::Tensor output = recording->output.clone();
    const std::shared_ptr<ReplayedGradient> node(new ReplayedGradient(recording, owner.parameters_),
                                                 torch::autograd::deleteNode);
    node->set_next_edges(torch::autograd::collect_next_edges(owner.parameters_));
    torch::autograd::set_history(output, node);
    last = node;
    return output;
  }
};

at::Tensor GraphedTraining::operator()(const std::vector<at::Tensor>& inputs) {
  return can_be_recorded_with_gradient(inputs) ? recordings_->call(*this, inputs) : function_(inputs);
}

std::size_t GraphedTraining::recordings() const {
  const auto& all = recordings_->list.all();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& r) { return r->forward != nullptr; }));
}

#else

struct GraphedTraining::Recordings {};

at::Tensor GraphedTraining::operator()(const std::vector<at::Tensor>& inputs) { return function_(inputs); }

std::size_t GraphedTraining::recordings() const { return 0; }

#endif

GraphedTraining::GraphedTraining(Function function, std::vector<at::Tensor> parameters, std::vector<at::Tensor> buffers)
    : function_(std::move(function)),
      parameters_(std::move(parameters)),
      buffers_(std::move(buffers)),
      recordings_(std::make_unique<Recordings>()) {
  std::erase_if(parameters_, [](const at::Tensor& parameter) { return !parameter.requires_grad(); });
}

GraphedTraining::~GraphedTraining() = default;

}  // namespace domainfusion
