#pragma once
// Starts a classifier from a file of published weights.

#include <torch/nn/module.h>

#include <filesystem>
#include <string>

#include "domainfusion/classifiers/backbones/backbone.h"

namespace domainfusion {

// Copies the file of weights `path` (safetensors or a PyTorch checkpoint) into `classifier`, which is `backbone` and a
// head, in the forms that Backbone::adapt_weights knows. Where the network's names stand behind a prefix ("module.",
// "module.encoder_q.", "teacher.backbone."), it is taken off, and what stands elsewhere in the file is left out; log
// lines say so. `key`, if not empty: the network is one of those whose names begin with it. A head that is absent, or
// has another number of classes or layers, keeps the classifier's own initialisation, which a log line says. IoError,
// FormatError for the file; ConfigError where several networks fit, or none has the key; ShapeError that lists all
// missing, unexpected and mis-shaped tensors.
void load_pretrained(torch::nn::Module& classifier, const Backbone& backbone, const std::filesystem::path& path,
                     const std::string& key = "");

}  // namespace domainfusion
