#include "domainfusion/nn/graphs/graphed.h"

#include <torch/types.h>

#include <mutex>
#include <optional>

#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/inference.h"

#ifdef DOMAINFUSION_CUDA
#include "domainfusion/nn/graphs/recording.h"
#endif

namespace domainfusion {

#ifdef DOMAINFUSION_CUDA

namespace {

bool can_be_recorded(const std::vector<at::Tensor>& inputs) {
  return !at::GradMode::is_enabled() && !PlainOperations::active() && are_on_one_gpu(inputs) &&
         active_autocast(inputs.front().device()).dtype == at::kFloat;
}

struct Recording {
  explicit Recording(RecordedInputs first) : inputs(std::move(first)) {}
  RecordedInputs inputs;
  at::Tensor output;  // where the graph writes
  std::unique_ptr<at::cuda::CUDAGraph> graph;
};

}  // namespace

struct GraphedFunction::Recordings {
  std::mutex mutex;
  RecordingList<Recording> list;
  // One pool serves all: what a replay leaves there is copied out before the next begins.
  std::optional<at::cuda::MempoolId_t> pool;

  void record(const Function& function, Recording& recording) {
    const RecordingStream stream(recording.inputs.device());
    function(recording.inputs.tensors());  // libraries set themselves up for this stream
    stream.synchronize();
    if (!pool) pool = at::cuda::graph_pool_handle();
    auto graph = std::make_unique<at::cuda::CUDAGraph>();
    stream.record(*graph, *pool, [&] { recording.output = function(recording.inputs.tensors()); });
    recording.graph = std::move(graph);
  }

  at::Tensor call(const Function& function, const std::vector<at::Tensor>& inputs) {
    const std::lock_guard lock(mutex);
    const c10::cuda::CUDAGuard on_device(inputs.front().device());
    const std::shared_ptr<Recording> recording = list.find_or_add(inputs);
    if (!recording) return function(inputs);
    if (!recording->graph) record(function, *recording);
    recording->inputs.take(inputs);
    recording->graph->replay();
    return recording->output.clone();
  }
};

at::Tensor GraphedFunction::operator()(const std::vector<at::Tensor>& inputs) {
  return can_be_recorded(inputs) ? recordings_->call(function_, inputs) : function_(inputs);
}

std::size_t GraphedFunction::recordings() const {
  const std::lock_guard lock(recordings_->mutex);
  const auto& all = recordings_->list.all();
  return static_cast<std::size_t>(
      std::count_if(all.begin(), all.end(), [](const auto& r) { return r->graph != nullptr; }));
}

#else

struct GraphedFunction::Recordings {};

at::Tensor GraphedFunction::operator()(const std::vector<at::Tensor>& inputs) { return function_(inputs); }

std::size_t GraphedFunction::recordings() const { return 0; }

#endif

GraphedFunction::GraphedFunction(Function function)
    : function_(std::move(function)), recordings_(std::make_unique<Recordings>()) {}

GraphedFunction::~GraphedFunction() = default;

}  // namespace domainfusion
