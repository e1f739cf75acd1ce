#pragma once
// PyTorch checkpoints (.pth), as torch.save(module.state_dict(), path) writes them.

#include <filesystem>

#include "domainfusion/io/weights/tensor_file.h"

namespace domainfusion {

// Writes a plain dictionary of `tensors` (any device, any strides; stored row-major) that Python's torch.load reads,
// also with weights_only. Atomically. IoError.
void save_pytorch(const std::filesystem::path& path, const TensorMap& tensors);

}  // namespace domainfusion
