#pragma once
// Starts a classifier from a file of weights with torchvision's names.

#include <torch/nn/module.h>

#include <filesystem>
#include <string>

namespace domainfusion {

// Copies the file of weights `path` (safetensors or a PyTorch checkpoint) into `classifier`. A linear head
// ("<head_name>.weight", "<head_name>.bias") of another number of classes keeps the classifier's own initialisation, which a log
// line says; "num_batches_tracked" may be absent.
// IoError, FormatError for the file; ShapeError that lists all missing, unexpected and mis-shaped tensors.
void load_pretrained(torch::nn::Module& classifier, const std::string& head_name, const std::filesystem::path& path);

}  // namespace domainfusion
