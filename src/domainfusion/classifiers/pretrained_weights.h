#pragma once
// Starts a classifier from a file of published weights.

#include <torch/nn/module.h>

#include <filesystem>

#include "domainfusion/classifiers/backbones/backbone.h"

namespace domainfusion {

// Copies the file of weights `path` (safetensors or a PyTorch checkpoint) into `classifier`, which is `backbone` and a
// head, in the forms that Backbone::adapt_weights knows. A head that is absent, or has another number of classes or
// layers, keeps the classifier's own initialisation, which a log line says. IoError, FormatError for the file;
// ShapeError that lists all missing, unexpected and mis-shaped tensors.
void load_pretrained(torch::nn::Module& classifier, const Backbone& backbone, const std::filesystem::path& path);

}  // namespace domainfusion
