#pragma once
// The selected model of a run, ready to classify.

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/training/run/trainer.h"
#include "domainfusion/training/run/validation.h"

namespace domainfusion {

struct TrainedModel {
  TrainingConfig config;
  std::vector<std::string> class_names;
  at::Device device = at::kCPU;
  Classifier classifier{nullptr};  // in eval mode, on `device`

  // Softmax of the logits of N >= 1 pictures, [N, K], float32, on the CPU.
  at::Tensor probabilities(std::span<const Image> images);
};

constexpr const char* kSelectedModel = "best";
constexpr const char* kModelHelp =
    "which of the run's models: best (selected by source validation), or its average: swad, …";

// Reads run.json and "<model>.safetensors" of the run. IoError, FormatError, ShapeError, naming the file.
TrainedModel load_trained_model(const std::filesystem::path& run, const std::string& model = kSelectedModel,
                                at::Device device = at::kCPU);

// The images that the model's run names, or those of `root` if it is not empty. ConfigError for a class that the model
// does not know.
std::shared_ptr<const DomainDataset> dataset_of(const TrainedModel& model, const std::string& root = {});

// Images of another set, under the model's classes: what it has of other classes is left out, with a warning that
// counts them and names classes without images. ConfigError if no class is the model's.
std::shared_ptr<const DomainDataset> other_dataset_of(const TrainedModel& model, const std::string& root);

// The run that run.json describes, to be run again. ConfigError for options that this program does not have.
RunSetup recorded_setup(const nlohmann::json& description);

// The configuration in run.json, its algorithm's options included.
TrainingConfig recorded_config(const nlohmann::json& description);

}  // namespace domainfusion
