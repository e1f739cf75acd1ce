#pragma once
// What GraphedFunction and GraphedTraining share: inputs that CUDA graphs read, and a place to record them. For builds
// with CUDA.

#include <ATen/cuda/CUDAGeneratorImpl.h>  // completes a type of the next header
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "domainfusion/core/machine/placement.h"

namespace domainfusion {

// All lie on one GPU.
bool are_on_one_gpu(const std::vector<at::Tensor>& inputs);

// Inputs where a graph finds them.
class RecordedInputs {
 public:
  explicit RecordedInputs(const std::vector<at::Tensor>& first);
  // Equal shapes, types and device.
  bool fit(const std::vector<at::Tensor>& inputs) const;
  void take(const std::vector<at::Tensor>& inputs);
  const std::vector<at::Tensor>& tensors() const { return tensors_; }
  at::Device device() const { return tensors_.front().device(); }

 private:
  std::vector<at::Tensor> tensors_;
};

// While one lives, this thread works on a stream of its own, where graphs can be recorded.
class RecordingStream {
 public:
  explicit RecordingStream(at::Device device);
  ~RecordingStream() { stream_.synchronize(); }
  void synchronize() const { stream_.synchronize(); }
  // Records what `work` launches, for no launch of which it waits. Memory that the graph needs comes from `pool`.
  void record(at::cuda::CUDAGraph& graph, at::cuda::MempoolId_t pool, const std::function<void()>& work) const;

 private:
  c10::cuda::CUDAStream stream_;
  c10::cuda::CUDAStreamGuard guard_;
};

// Recordings of a few shapes, of those that were used last. Recording: has `RecordedInputs inputs` and is made of it.
template <class Recording>
class RecordingList {
 public:
  ~RecordingList() {
    while (!list_.empty()) forget_last();
  }

  // The one that fits `inputs`; nullptr, and a new one in the list, if there is none.
  std::shared_ptr<Recording> find_or_add(const std::vector<at::Tensor>& inputs) {
    for (auto place = list_.begin(); place != list_.end(); ++place) {
      if (!(*place)->inputs.fit(inputs)) continue;
      list_.splice(list_.begin(), list_, place);
      return list_.front();
    }
    if (list_.size() == kMostRecordings) forget_last();
    list_.push_front(std::make_shared<Recording>(RecordedInputs(inputs)));
    return nullptr;
  }

  const std::list<std::shared_ptr<Recording>>& all() const { return list_; }

 private:
  static constexpr std::size_t kMostRecordings = 8;

  // Not while the GPU is at it.
  void forget_last() {
    synchronize(list_.back()->inputs.device());
    list_.pop_back();
  }

  std::list<std::shared_ptr<Recording>> list_;  // the one that was used last comes first
};

}  // namespace domainfusion
