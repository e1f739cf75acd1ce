#pragma once
// Batch norm's running statistics for weights that were never trained: an average's.

#include <torch/nn/module.h>

#include <cstdint>
#include <functional>

namespace domainfusion {

// Whether `model`, in train mode now, has batch norm layers that take statistics of their batches (frozen ones do not).
bool takes_batch_statistics(const torch::nn::Module& model);

// Forgets the statistics of those layers and takes the plain mean over `batches` calls of `forward`, each of which must
// run the model, in train mode, on another batch: torch.optim.swa_utils.update_bn. What `forward` throws passes
// through; the layers' momentum is restored in any case.
void retake_batch_statistics(torch::nn::Module& model, std::int64_t batches,
                             const std::function<void(std::int64_t batch)>& forward);

}  // namespace domainfusion
