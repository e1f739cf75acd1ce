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

// All tensors of the file (any format of WeightsFile) on the CPU, row-major, in the file's dtype; F8_E4M3 and F8_E5M2
// become float32. Where alignment and strides allow it they are the mapped file itself, which lasts as long as they do:
// the memory is shared with the page cache until a tensor is written to, and writing never reaches the file (nor is it
// kept for tensors that share bytes). The others are copies. Tensors of types that nothing here computes with are left
// out, which a log line says, as it says the file's remarks. Throws IoError; FormatError also for tensors that together
// take more than 8 times the file's bytes and 64 MiB (they may share bytes, or be expanded, without end).
TensorMap load_tensors(const std::filesystem::path& path);
// The same of an open file, of the tensors whose names are `wanted`; one of those that is of another type is a
// FormatError. Says nothing.
TensorMap load_tensors(const WeightsFile& file, const std::function<bool(const std::string&)>& wanted);

// The file's remarks, each as a warning that names the path.
void say_remarks(const WeightsFile& file);

// Writes `tensors` (any device, any strides; stored row-major in their dtype), atomically. Throws IoError, and
// FormatError for a dtype that safetensors cannot hold.
void save_tensors(const std::filesystem::path& path, const TensorMap& tensors, const TensorMetadata& metadata = {});

// Writes the tensors of `file` as they are, whatever their types, in the order of their names, atomically. Throws
// IoError, and FormatError for tensors that together take more than load_tensors would.
void copy_tensors(const std::filesystem::path& path, const WeightsFile& file, const TensorMetadata& metadata = {});

}  // namespace domainfusion
