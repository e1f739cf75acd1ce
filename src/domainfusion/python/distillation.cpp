#include <torch/types.h>

#include "domainfusion/distillation/distillation_sources.h"
#include "domainfusion/distillation/teachers/distillation_teacher.h"
#include "domainfusion/distillation/teachers/premise.h"
#include "domainfusion/python/bindings.h"
#include "domainfusion/training/algorithms/with_ldm/frozen_ldm.h"

namespace domainfusion {
namespace {

using Keys = std::vector<std::pair<std::int64_t, std::int64_t>>;                         // (domain, index)
using LabelledKeys = std::vector<std::tuple<std::int64_t, std::int64_t, std::int64_t>>;  // (domain, index, label)
using PythonSource = std::function<at::Tensor(const Keys& keys)>;

// A teacher in somebody else's loop. The plain images come with each call, from a function of Python, or from a set.
class TeacherInPython {
 public:
  TeacherInPython(const LatentDiffusion& ldm, const std::vector<std::string>& class_names, std::uint64_t seed,
                  const nlohmann::json& options, std::shared_ptr<DomainDataset> set, std::optional<PythonSource> source)
      : ldm_(ldm), functions_(ldm_functions_of(ldm)), set_(std::move(set)) {
    fields_of(config_).from_json(options);
    config_.validate();
    if (set_) {
      source_ = plain_image_source(set_, functions_.image_size_px);
    } else if (source) {
      source_ = [call = std::move(*source)](const std::vector<ImageKey>& keys) {
        Keys pairs;
        for (const ImageKey& key : keys) pairs.emplace_back(key.domain, key.index);
        return call(pairs);
      };
    }
    const ImageSource images = [this](const std::vector<ImageKey>& keys) { return images_of(keys); };
    teacher_ = distillation_teachers().make(config_.teacher, config_, functions_, class_names, images, seed);
  }
  TeacherInPython(const TeacherInPython&) = delete;
  TeacherInPython& operator=(const TeacherInPython&) = delete;

  nlohmann::json prepare(const std::optional<LabelledKeys>& images, std::optional<std::int64_t> known_points) {
    const std::vector<LabelledKey> keys = keys_of(images);
    const bool shared = !config_.curve.folder.empty();
    check<ConfigError>(!shared || set_, "curve.folder is shared by runs of one set: give such a set as the source");
    const std::string identity = shared ? curve_identity(ldm_, *set_, keys) : "";
    const auto gate = teacher_->prepare(keys, identity, known_points, interruption_point);
    return gate ? gate->to_json() : nlohmann::json();
  }

  nlohmann::json premise(const std::optional<LabelledKeys>& images) const {
    const ImageSource source = [this](const std::vector<ImageKey>& keys) { return images_of(keys); };
    return measure_premise(functions_, config_, teacher_->conditions(), source, keys_of(images), kPremiseGateSeed,
                           premise_gate_request(), interruption_point)
        .to_json();
  }

  TeacherStep teach(const at::Tensor& logits_NK, const at::Tensor& label_N, std::int64_t step,
                    const std::optional<at::Tensor>& domain_N, const std::optional<at::Tensor>& index_N,
                    const std::optional<at::Tensor>& image01_N3HW) {
    check_labelled(logits_NK, label_N);
    const std::int64_t count = label_N.size(0);
    DistillationBatch batch{logits_NK,
                            label_N,
                            domain_N.value_or(torch::zeros({count}, torch::kInt64)),
                            index_N.value_or(torch::arange(count)),
                            {}};
    check<ConfigError>(image01_N3HW || source_,
                       "distillation without images: give `images` with the call, or a source to the teacher");
    given_.clear();
    if (image01_N3HW) {
      check<ShapeError>(checked_images(*image01_N3HW).size(0) == count, "{} images for {} labels: expected one each",
                        image01_N3HW->size(0), count);
      const at::Tensor images = resized01(image01_N3HW->detach(), functions_.image_size_px).to(torch::kFloat32);
      if (config_.view == DistillationView::kAugmented) batch.view01_N3HW = images;
      keep_given(batch, images);
    }
    check<ConfigError>(config_.view == DistillationView::kPlain || batch.view01_N3HW.defined(),
                       "view = augmented: give the classifier's views with the call, as `images` in [0, 1]");
    TeacherStep result = teacher_->teach(batch, step);
    given_.clear();
    return result;
  }

  std::vector<std::string> prompts() const { return teacher_->prompts(); }
  std::int64_t curve_points() const { return teacher_->curve_points(); }
  nlohmann::json config() { return fields_of(config_).to_json(); }

 private:
  void check_labelled(const at::Tensor& logits_NK, const at::Tensor& label_N) const {
    const auto classes = static_cast<std::int64_t>(teacher_->prompts().size());
    check<ShapeError>(label_N.dim() == 1 && label_N.size(0) > 0 && label_N.scalar_type() == torch::kInt64,
                      "labels [{}] of type {}: expected int64 [N]", fmt::join(label_N.sizes(), ", "),
                      c10::toString(label_N.scalar_type()));
    check<ShapeError>(logits_NK.dim() == 2 && logits_NK.size(0) == label_N.size(0) && logits_NK.size(1) == classes,
                      "logits [{}]: expected [{}, {}], a row for each label and a column for each class",
                      fmt::join(logits_NK.sizes(), ", "), label_N.size(0), classes);
    check<ConfigError>(label_N.min().item<std::int64_t>() >= 0 && label_N.max().item<std::int64_t>() < classes,
                       "a label outside of 0 … {}", classes - 1);
  }

  void keep_given(const DistillationBatch& batch, const at::Tensor& images) {
    const at::Tensor domain = batch.domain_N.to(torch::kCPU, torch::kInt64).contiguous();
    const at::Tensor index = batch.index_N.to(torch::kCPU, torch::kInt64).contiguous();
    check<ShapeError>(domain.sizes() == batch.label_N.sizes() && index.sizes() == batch.label_N.sizes(),
                      "domains, indices: expected one each for {} labels", batch.label_N.size(0));
    for (std::int64_t i = 0; i < images.size(0); ++i)
      given_[{domain.data_ptr<std::int64_t>()[i], index.data_ptr<std::int64_t>()[i]}] = images[i];
  }

  at::Tensor images_of(const std::vector<ImageKey>& keys) const {
    std::vector<at::Tensor> images;
    for (const ImageKey& key : keys) {
      const auto found = given_.find(key);
      if (found == given_.end()) return source_ ? source_(keys) : none(key);
      images.push_back(found->second);
    }
    return torch::stack(images).cpu();
  }

  [[noreturn]] static at::Tensor none(const ImageKey& key) {
    throw ConfigError(
        fmt::format("there is no image {} of domain {}: give the teacher a source", key.index, key.domain));
  }

  std::vector<LabelledKey> keys_of(const std::optional<LabelledKeys>& images) const {
    check<ConfigError>(images || set_,
                       "all images that training may draw are needed: a list of (domain, index, label)");
    if (!images) return labelled_keys(*set_, every_image_of(*set_));
    std::vector<LabelledKey> keys;
    for (const auto& [domain, index, label] : *images) keys.push_back({{domain, index}, label});
    return keys;
  }

  LatentDiffusion ldm_;
  LdmFunctions functions_;
  DistillationConfig config_;
  std::shared_ptr<DomainDataset> set_;
  ImageSource source_;                    // empty: images come with each call
  std::map<ImageKey, at::Tensor> given_;  // with the call that is under way
  std::unique_ptr<DistillationTeacher> teacher_;
};

}  // namespace

void bind_distillation(py::module_& module) {
  py::class_<TeacherStep>(module, "TeacherStep")
      .def_readonly("loss", &TeacherStep::loss)
      .def_readonly("figures", &TeacherStep::figures)
      .def_readonly("scalars", &TeacherStep::scalars);
  py::class_<TeacherInPython>(module, "NativeTeacher",
                              "What is behind domainfusion.LatentDistillation, which is the one to be used.")
      .def(py::init<const LatentDiffusion&, const std::vector<std::string>&, std::uint64_t, const nlohmann::json&,
                    std::shared_ptr<DomainDataset>, std::optional<PythonSource>>(),
           py::arg("ldm"), py::arg("class_names"), py::arg("seed"), py::arg("options"), py::arg("set"),
           py::arg("source"), Unlocked())
      .def("prepare", &TeacherInPython::prepare, py::arg("images"), py::arg("known_points"), Unlocked())
      .def("premise", &TeacherInPython::premise, py::arg("images"), Unlocked())
      .def("teach", &TeacherInPython::teach, py::arg("logits"), py::arg("labels"), py::arg("step"), py::arg("domains"),
           py::arg("indices"), py::arg("images"), Unlocked())
      .def_property_readonly("prompts", &TeacherInPython::prompts)
      .def_property_readonly("curve_points", &TeacherInPython::curve_points)
      .def_property_readonly("config", &TeacherInPython::config);
}

}  // namespace domainfusion
