#include "domainfusion/evaluation/models/trained_model.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/json_context.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/sets/relabelled_dataset.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/training/algorithm.h"
#include "domainfusion/training/records/checkpoint.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

// Fewer names, all of them known: folders of the model's other classes are empty, which a set does not count.
bool are_some_of(const std::vector<std::string>& names, const std::vector<std::string>& known) {
  return names.size() < known.size() && std::includes(known.begin(), known.end(), names.begin(), names.end());
}

std::shared_ptr<const RelabelledDataset> relabelled(const std::shared_ptr<const DomainDataset>& dataset,
                                                    const TrainedModel& model, const std::string& root) {
  return with_context(fmt::format("'{}'", root), [&] {
    const auto matched = std::make_shared<const RelabelledDataset>(dataset, model.class_names);
    if (const auto absent = matched->absent_classes(); !absent.empty())
      log_warning("'{}' has no images of the model's classes {}", root, fmt::join(absent, ", "));
    for (const auto& [name, images] : matched->left_out())
      log_warning("'{}': {} image(s) of the class '{}', which the model does not know, left out", root, images, name);
    return matched;
  });
}

}  // namespace

RunSetup recorded_setup(const nlohmann::json& description) {
  RunSetup setup;
  setup.algorithm = algorithms().make(description.at("config").at("algorithm").get<std::string>());
  setup.fields().from_json(description.at("config"));
  return setup;
}

TrainingConfig recorded_config(const nlohmann::json& description) { return recorded_setup(description).config; }

TrainedModel load_trained_model(const std::filesystem::path& run, const std::string& name, at::Device device) {
  const nlohmann::json description = read_run_description(run);
  TrainedModel model;
  with_json_context(fmt::format("'{}'", (run / "run.json").string()), [&] {
    const RunSetup setup = recorded_setup(description);
    check<ConfigError>(setup.algorithm->classifier_answers_alone(),
                       "'{}': a model of {} answers an image by the batch that it stands in, which nothing but the run "
                       "itself does: its figures are those of its records",
                       run.string(), setup.config.algorithm);
    model.config = setup.config;
    model.class_names = description.at("classes").get<std::vector<std::string>>();
  });
  // The weights that training started from are not needed, and may be elsewhere by now.
  model.config.classifier.weights.clear();
  model.config.classifier.image_size_px = model.config.loader.image_size_px;
  const auto file = run / (name + ".safetensors");
  check<IoError>(
      std::filesystem::exists(file),
      "'{}' has no model '{}': the selected one (best) is there from the first validation on, an average once a run "
      "with averaging.method is finished",
      run.string(), name);
  model.classifier = Classifier(model.config.classifier, static_cast<std::int64_t>(model.class_names.size()), 0);
  load_model(file, model.classifier);
  model.classifier->to(device);
  model.device = device;
  model.classifier->eval();
  return model;
}

std::shared_ptr<const DomainDataset> dataset_of(const TrainedModel& model, const std::string& root) {
  DataConfig data = model.config.data;
  if (!root.empty()) data.root = root;
  auto dataset = open_dataset(data);
  if (are_some_of(dataset->class_names(), model.class_names)) return relabelled(dataset, model, data.root);
  check<ConfigError>(dataset->class_names() == model.class_names,
                     "'{}' has the classes {}, the run was trained on {}: choose a set with the same class folders",
                     data.root, fmt::join(dataset->class_names(), ", "), fmt::join(model.class_names, ", "));
  return dataset;
}

std::shared_ptr<const DomainDataset> other_dataset_of(const TrainedModel& model, const std::string& root) {
  DataConfig data = model.config.data;
  data.root = root;
  data.descriptions.clear();  // of the run's set
  const auto dataset = open_dataset(data, /*fewest_classes=*/1);
  return dataset->class_names() == model.class_names ? dataset : relabelled(dataset, model, root);
}

at::Tensor TrainedModel::probabilities(std::span<const Image> images) {
  torch::NoGradGuard no_grad;
  const std::int64_t size = config.loader.image_size_px;
  at::Tensor image_NCHW = torch::empty({std::ssize(images), 3, size, size});
  float* target = image_NCHW.data_ptr<float>();
  for (const Image& image : images) {
    write_normalised(evaluation_view(image, static_cast<int>(size)), target);
    target += 3 * size * size;
  }
  return classifier->forward(image_NCHW.to(device)).softmax(1).cpu();
}

}  // namespace domainfusion
