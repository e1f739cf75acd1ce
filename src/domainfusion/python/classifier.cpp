#include "domainfusion/classifiers/classifier.h"

#include <torch/types.h>

#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/python/bindings.h"
#include "domainfusion/training/make_optimizer.h"

namespace domainfusion {
namespace {

using NamedTensors = std::vector<std::pair<std::string, at::Tensor>>;

template <class Tensors>
NamedTensors named(const Tensors& tensors) {
  NamedTensors list;
  for (const auto& item : tensors) list.emplace_back(item.key(), item.value());
  return list;
}

std::shared_ptr<ClassifierImpl> new_classifier(std::int64_t classes, std::uint64_t seed, std::int64_t image_size_px,
                                               const nlohmann::json& options) {
  ClassifierConfig config;
  fields_of(config).from_json(options);
  config.image_size_px = image_size_px;
  return std::make_shared<ClassifierImpl>(config, classes, seed);
}

// Softmax of the model's answers, in batches that bound memory.
at::Tensor probabilities_of_files(TrainedModel& model, const std::vector<std::filesystem::path>& paths) {
  constexpr std::size_t kBatch = 64;
  check<ConfigError>(!paths.empty(), "probabilities of no picture: expected at least one path");
  std::vector<at::Tensor> rows;
  for (std::size_t first = 0; first < paths.size(); first += kBatch) {
    interruption_point();
    std::vector<Image> images;
    for (std::size_t i = first; i < std::min(paths.size(), first + kBatch); ++i)
      images.push_back(read_image(paths[i], model.config.data));
    rows.push_back(model.probabilities(images));
  }
  return torch::cat(rows);
}

nlohmann::json classifier_options(TrainedModel& model) {
  ClassifierConfig config = model.config.classifier;
  return fields_of(config).to_json();
}

OptimizerConfig optimizer_config_of(const nlohmann::json& options) {
  OptimizerConfig config;
  fields_of(config).from_json(options);
  return config;
}

}  // namespace

void bind_classifier(py::module_& module) {
  py::class_<ClassifierImpl, std::shared_ptr<ClassifierImpl>>(
      module, "NativeClassifier", "The network behind domainfusion.Classifier, which is the one to be used.")
      .def(py::init(&new_classifier), py::arg("classes"), py::arg("seed"), py::arg("image_size_px"), py::arg("options"),
           Unlocked())
      .def("forward", &ClassifierImpl::forward, py::arg("images"), Unlocked())
      .def("features", &ClassifierImpl::features, py::arg("images"), Unlocked())
      .def("classify", &ClassifierImpl::classify, py::arg("features"), Unlocked())
      .def("begin_step", &ClassifierImpl::begin_step, py::arg("seed"), py::arg("step"))
      .def("train", &ClassifierImpl::train, py::arg("on"))
      .def("parameters", [](const ClassifierImpl& m) { return named(m.named_parameters()); })
      .def("buffers", [](const ClassifierImpl& m) { return named(m.named_buffers()); })
      .def("head_parameters", &ClassifierImpl::head_parameters)
      .def_property_readonly("feature_size", &ClassifierImpl::feature_size);
  py::class_<TrainedModel>(module, "TrainedModel", "What load_run reads.")
      .def(py::init([](const std::filesystem::path& run, const std::string& model, const std::string& device) {
             return load_trained_model(run, model, device_of(device));
           }),
           py::arg("run"), py::arg("model"), py::arg("device"), Unlocked())
      .def_readonly("class_names", &TrainedModel::class_names)
      .def_property_readonly("classifier", [](const TrainedModel& m) { return m.classifier.ptr(); })
      .def_property_readonly("options", &classifier_options)
      .def_property_readonly("image_size_px", [](const TrainedModel& m) { return m.config.loader.image_size_px; })
      .def("probabilities", &probabilities_of_files, py::arg("paths"), Unlocked());

  module.def("normalise", &normalise, py::arg("images"),
             "Images [..., 3, H, W] in [0, 1] with ImageNet's mean and deviation taken off: what classifiers take.");
  module.def("denormalise", &denormalise, py::arg("images"), "The way back.");

  py::class_<Optimizer>(module, "Optimizer",
                        "The program's optimizers, to their last bit; torch.optim's are equal to them within rounding.")
      .def(py::init([](std::vector<at::Tensor> parameters, const nlohmann::json& options) {
             return make_optimizer(optimizer_config_of(options), std::move(parameters));
           }),
           py::arg("parameters"), py::arg("options") = nlohmann::json::object(),
           "parameters: float32 leaf tensors. options: as `optimizer.*` of recipes (name: adam, adamw, sgd; lr, …).")
      .def("zero_grad", &Optimizer::zero_grad)
      .def("step", &Optimizer::step, Unlocked(), "One update with the gradients now in the parameters.")
      .def("clip_grad_norm", &Optimizer::clip_grad_norm, py::arg("max_norm"),
           "Scales all gradients so that their common L2 norm is at most max_norm; returns the norm before.")
      .def("scale_lr", &Optimizer::scale_lr, py::arg("parameters"), py::arg("multiplier"),
           "From here on the learning rate of these parameters is `multiplier` times lr.")
      .def("state_dict", &Optimizer::state, "All state, by name; the tensors alias the optimizer's.")
      .def("load_state_dict", &Optimizer::load_state, py::arg("state"))
      .def_property("lr", &Optimizer::lr, &Optimizer::set_lr);
  module.def(
      "lr_at",
      [](const nlohmann::json& options, std::int64_t step, std::int64_t total_steps) {
        return optimizer_config_of(options).lr_at(step, total_steps);
      },
      py::arg("options"), py::arg("step"), py::arg("total_steps"),
      "The learning rate of a step (from 0), by the decay and the warm-up of `optimizer.*`.");
}

}  // namespace domainfusion
