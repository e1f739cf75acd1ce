#pragma once
// What a frozen LDM may teach a classifier in a training step: the interface of distillation teachers, and their
// registry.
//
//   score                 latent_distillation.h: the paper's, where the denoising residual's gradient in confidence
//                         re-weights images
//   diffusion_classifier  diffusion_classifier.h: the LDM's own posterior over the classes, as a soft label

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/core/registry.h"
#include "domainfusion/distillation/curves/curve_gate.h"
#include "domainfusion/distillation/curves/latent_curve.h"

namespace domainfusion {

// One training batch, rows in any order.
struct DistillationBatch {
  at::Tensor logits_NK;                   // of the classifier, with graph
  at::Tensor label_N, domain_N, index_N;  // int64; (domain, index) name the image
  at::Tensor view01_N3HW;  // view = augmented only: what the classifier saw, in [0, 1], at the LDM's size
};

// What a teacher says of one step.
struct TeacherStep {
  at::Tensor loss;                        // scalar with graph to the logits
  nlohmann::json figures;                 // for the run's records
  std::map<std::string, double> scalars;  // for the step's line: "loss_ld", "mean_p", …
};

// What a teacher computes, in images that pass through a network. A pass with its gradient counts as three.
struct TeacherCost {
  double unet_per_drawn = 0;                     // for each image that is drawn in a step
  double encoder_per_drawn = 0;                  // the same
  double encoder_per_image = 0;                  // once in the run for each training image that is drawn
  double unet_of_gate = 0, encoder_of_gate = 0;  // once, before the first step
  double latents_per_image = 0;                  // kept of each training image, for the whole run
};

class DistillationTeacher {
 public:
  // `plain_image` gives the images that the LDM sees when view = plain. ConfigError for options that do not go together
  // or a t_max beyond the LDM's timesteps.
  DistillationTeacher(DistillationConfig config, LdmFunctions ldm, const std::vector<std::string>& class_names,
                      ImageSource plain_image, std::uint64_t seed);
  virtual ~DistillationTeacher() = default;

  // Before the first step, with all images that training may draw; `identity` names them and the LDM where curves are
  // shared (curve_identity). `known_points` takes up what an earlier run chose (see curve_points). `stop_point` is
  // called in long work and may throw. No result where there is no gate, or it did not run.
  virtual std::optional<CurveGateResult> prepare(const std::vector<LabelledKey>& images, const std::string& identity,
                                                 std::optional<std::int64_t> known_points = {},
                                                 const std::function<void()>& stop_point = {}) {
    return {};
  }
  // The loss of `batch` at `step`. All draws of an image depend on (seed, step, domain, index) alone. Error that names
  // the image if a figure of it is not finite.
  virtual TeacherStep teach(const DistillationBatch& batch, std::int64_t step) = 0;

  // ConfigError if the rows drawn of batches of `size` are too few for the options.
  virtual void check_batch_size(std::int64_t size) const {}

  virtual TeacherCost cost() const = 0;
  // K of the curve in use; 0 while there is none. To be kept for a resume.
  virtual std::int64_t curve_points() const { return 0; }

  // Rows of a batch of `size` that enter the LDM at `step`, ascending: max(1, round(fraction * size)) of them, drawn
  // from RandomStream(seed, "distillation rows", {step}).
  std::vector<std::int64_t> drawn_rows(std::int64_t size, std::int64_t step) const;
  double fraction() const;
  const std::vector<std::string>& prompts() const { return conditions_.prompts(); }
  const ClassConditions& conditions() const { return conditions_; }
  const DistillationConfig& config() const { return config_; }

 protected:
  // The drawn rows of a batch.
  struct Drawn {
    at::Tensor logits_NK;  // with graph
    at::Tensor label_N;    // where the logits are
    std::vector<ImageKey> keys;
    at::Tensor view01_N3HW;  // undefined when view = plain

    std::int64_t size() const { return logits_NK.size(0); }
    // softmax(logits)[label], [N], with graph.
    at::Tensor confidence() const;
  };
  // ShapeError for a batch whose parts do not fit together, Error if a logit is not finite.
  Drawn draw(const DistillationBatch& batch, std::int64_t step) const;
  // The pixels that the LDM sees of rows first … first+count-1: the views, or the plain images. On the LDM's device.
  at::Tensor images(const Drawn& drawn, std::int64_t first, std::int64_t count) const;
  static void check_finite(const char* what, const at::Tensor& values_N, const std::vector<ImageKey>& keys,
                           std::int64_t step);

  DistillationConfig config_;
  LdmFunctions ldm_;
  ClassConditions conditions_;
  ImageSource plain_image_;
  std::uint64_t seed_;
};

using DistillationTeacherRegistry = Registry<DistillationTeacher, DistillationConfig, LdmFunctions,
                                             const std::vector<std::string>&, ImageSource, std::uint64_t>;
const DistillationTeacherRegistry& distillation_teachers();

}  // namespace domainfusion
