#pragma once
// The selected model of a run, ready to classify.

#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/training/training_config.h"
#include "domainfusion/training/validation.h"

namespace domainfusion {

struct TrainedModel {
  TrainingConfig config;
  std::vector<std::string> class_names;
  Classifier classifier{nullptr};  // in eval mode, on the CPU

  // Softmax of the logits of one picture, [K], float32.
  at::Tensor probabilities(const Image& image);
};

// Reads run.json and best.safetensors. IoError, FormatError, ShapeError, naming the file.
TrainedModel load_trained_model(const std::filesystem::path& run);

// The configuration in run.json, its algorithm's options included.
TrainingConfig recorded_config(const nlohmann::json& description);

}  // namespace domainfusion
