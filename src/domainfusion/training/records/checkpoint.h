#pragma once
// Everything a run needs to go on as if it had never stopped, in one safetensors file that is replaced atomically.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/training/optimizers/optimizer.h"

namespace domainfusion {

// What a user can do then: the end of the messages of a run that ends with an error.
constexpr const char* kAfterDivergence =
    "checkpoint and best model of the last validation stay. A resumed run would take the same steps: start anew with "
    "a lower optimizer.lr or with optimizer.clip_grad_norm (another --out, or --overwrite)";

// The child of a classifier that holds what an algorithm trains beside it (Algorithm::add_networks).
inline constexpr const char* kBesideClassifier = "beside";

struct Checkpoint {
  std::int64_t step = 0;        // optimizer steps done
  std::int64_t best_step = -1;  // of the selected model; -1 before the first validation
  double best_accuracy = -1;
  nlohmann::json algorithm_state;
  TensorMap algorithm_tensors;
  nlohmann::json averaging_state;  // null without weight averaging
  TensorMap averaging_tensors;
  TensorMap fit_tensors;  // LastEpochFit; empty in older files
};

// Tensors "model.NAME", "optimizer.NAME", "algorithm.NAME", "averaging.NAME", "fit.NAME"; the rest is JSON in the
// file's metadata under "state". Random draws need no state: all are named by seed and step. Error if a weight is not
// finite (so that a good checkpoint is never replaced by a broken one), IoError if the file cannot be written (the old
// one stands).
void save_checkpoint(const std::filesystem::path& path, const Checkpoint& checkpoint, const Classifier& classifier,
                     const Optimizer& optimizer);

// Restores classifier and optimizer in place. IoError, FormatError, ShapeError, naming the path.
Checkpoint load_checkpoint(const std::filesystem::path& path, Classifier& classifier, Optimizer& optimizer);

// The classifier alone, with torchvision's names; the metadata say at which step and source validation accuracy.
void save_model(const std::filesystem::path& path, const Classifier& classifier, std::int64_t step, double accuracy);
// What algorithms train beside a classifier (Algorithm::add_networks) is left over where the classifier has no place
// for it. IoError, FormatError, ShapeError.
void load_model(const std::filesystem::path& path, Classifier& classifier);
// The step that save_model wrote; nothing where there is no such file, or it says none. FormatError.
std::optional<std::int64_t> step_of_model(const std::filesystem::path& path);

}  // namespace domainfusion
