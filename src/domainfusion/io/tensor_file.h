#pragma once
// Named tensors from and to safetensors files.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <map>
#include <string>

#include "domainfusion/io/safetensors.h"

namespace domainfusion {

using TensorMap = std::map<std::string, at::Tensor>;

// All tensors of the file, each with its own memory on the CPU, in the file's dtype. Throws IoError, FormatError.
TensorMap load_tensors(const std::filesystem::path& path);

// Writes `tensors` (any device, any strides; stored row-major in their dtype), atomically. Throws IoError, and FormatError
// for a dtype that safetensors cannot hold.
void save_tensors(const std::filesystem::path& path, const TensorMap& tensors, const TensorMetadata& metadata = {});

}  // namespace domainfusion
