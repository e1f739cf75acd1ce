#include "domainfusion/nn/graphs/recording.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace domainfusion {

bool are_on_one_gpu(const std::vector<at::Tensor>& inputs) {
  return !inputs.empty() && inputs.front().is_cuda() &&
         std::all_of(inputs.begin(), inputs.end(),
                     [&](const at::Tensor& input) { return input.device() == inputs.front().device(); });
}

RecordedInputs::RecordedInputs(const std::vector<at::Tensor>& first) {
  for (const at::Tensor& input : first) tensors_.push_back(input.detach().clone());
}

bool RecordedInputs::fit(const std::vector<at::Tensor>& inputs) const {
  return std::equal(tensors_.begin(), tensors_.end(), inputs.begin(), inputs.end(),
                    [](const at::Tensor& a, const at::Tensor& b) {
                      return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() && a.device() == b.device();
                    });
}

void RecordedInputs::take(const std::vector<at::Tensor>& inputs) {
  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < inputs.size(); ++i) tensors_[i].copy_(inputs[i]);
}

RecordingStream::RecordingStream(at::Device device)
    : stream_([device] {
        c10::cuda::getCurrentCUDAStream(device.index()).synchronize();
        return c10::cuda::getStreamFromPool(false, device.index());
      }()),
      guard_(stream_) {}

void RecordingStream::record(at::cuda::CUDAGraph& graph, at::cuda::MempoolId_t pool,
                             const std::function<void()>& work) const {
  // Other threads may allocate meanwhile.
  graph.capture_begin(pool, cudaStreamCaptureModeThreadLocal);
  try {
    work();
  } catch (...) {
    graph.capture_end();
    throw;
  }
  graph.capture_end();
}

}  // namespace domainfusion
