#pragma once
// Named tensors from files of weights, and to safetensors files.

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <string>

#include "domainfusion/io/formats/safetensors.h"
#include "domainfusion/io/weights/weights_file.h"

namespace domainfusion {

using TensorMap = std::map<std::string, at::Tensor>;

// All tensors of the file (any format of WeightsFile) on the CPU, row-major, in the file's dtype. Where alignment and
// strides allow it they are the mapped file itself, which lasts as long as they do: the memory is shared with the page
// cache until a tensor is written to, and writing never reaches the file (nor is it kept for tensors that share bytes).
// The others are copies. Throws IoError, FormatError.
TensorMap load_tensors(const std::filesystem::path& path);
// The same of an open file, of the tensors whose names are `wanted`.
TensorMap load_tensors(const WeightsFile& file, const std::function<bool(const std::string&)>& wanted);

// Writes `tensors` (any device, any strides; stored row-major in their dtype), atomically. Throws IoError, and
// FormatError for a dtype that safetensors cannot hold.
void save_tensors(const std::filesystem::path& path, const TensorMap& tensors, const TensorMetadata& metadata = {});

}  // namespace domainfusion
