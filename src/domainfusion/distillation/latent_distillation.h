#pragma once
// Latent distillation: the LDM as a teacher of the classifier's confidence.
//
// With p_i = softmax(theta(x_i))[y_i] and g_i from latent_gradient.h, the loss of a step is the surrogate
//   L = lambda * mean_i g_i p_i,   g_i without graph,   so that   dL/dtheta = lambda * mean_i g_i dp_i/dtheta.
// The mean runs over the images drawn for the step (`fraction` of the batch). g < 0 raises confidence.
// lambda: `lambda_ld`, or in mode "share" the value that makes mean_i lambda |g_i| p_i = share: cross-entropy's gradient is
// -(1/p) dp/dtheta, so in the unit |factor of dp/dtheta| * p cross-entropy is 1.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/distillation/curve_gate.h"
#include "domainfusion/distillation/latent_curve.h"

namespace domainfusion {

// One training batch, rows in any order.
struct DistillationBatch {
  at::Tensor logits_NK;               // of the classifier, with graph
  at::Tensor label_N, domain_N, index_N;  // int64; (domain, index) name the image
  at::Tensor view01_N3HW;             // view = augmented only: what the classifier saw, in [0, 1], at the LDM's size
};

// Residuals of the drawn images whose t lies in [low, high].
struct TimestepBin {
  std::int64_t low = 0, high = 0, images = 0;
  double mean_squared_residual = 0;  // 0 if there are none
};

struct DistillationFigures {
  std::int64_t images = 0;           // drawn in this step
  double mean_p = 0;
  double mean_g = 0, mean_abs_g = 0;  // before centering and controls
  double negative_share = 0;         // of g < 0, before centering and controls
  double lambda = 0;
  double ratio = 0;                  // mean of lambda |g| p with the g that was used; cross-entropy has 1
  double loss = 0;
  double mean_squared_residual = 0;
  std::vector<TimestepBin> bins;     // ten, over t_min … t_max

  nlohmann::json to_json() const;
};

struct DistillationStep {
  at::Tensor loss;  // scalar with graph to the logits
  DistillationFigures figures;
};

class LatentDistillation {
 public:
  // `plain_image` gives the images that the LDM sees when view = plain. ConfigError for options that do not go together or
  // a t_max beyond the teacher's timesteps.
  LatentDistillation(DistillationConfig config, LatentTeacher teacher, const std::vector<std::string>& class_names,
                     ImageSource plain_image, std::uint64_t seed);

  // For encoder = curve, before the first step: runs the gate on `images` (all images that training may draw) and opens the
  // cache, or, if no K passes, says so and falls back to the exact encoder. `known_points` takes up the choice of an earlier
  // run (a resume) and skips the gate: K, or 0 for the exact encoder. No result if the gate did not run. `stop_point` is
  // called between the gate's images and may throw.
  std::optional<CurveGateResult> prepare(const std::vector<LabelledKey>& images, const CurveStorage& storage,
                                         std::optional<std::int64_t> known_points = {},
                                         const std::function<void()>& stop_point = {});

  // The surrogate loss of `batch` at `step`. t and eps of an image depend on (seed, step, domain, index) alone. Error that
  // names the image if its g is not finite.
  DistillationStep step(const DistillationBatch& batch, std::int64_t step);

  // Rows of a batch of `size` that enter the LDM at `step`, ascending: max(1, round(fraction * size)) of them, drawn from
  // RandomStream(seed, "distillation rows", {step}).
  std::vector<std::int64_t> drawn_rows(std::int64_t size, std::int64_t step) const;

  // K of the curve in use; 0 while the exact or the difference form is. To be kept for a resume.
  std::int64_t curve_points() const { return curve_ ? curve_->points() : 0; }
  LatentCurve* curve() { return curve_.get(); }
  EncoderForm encoder() const { return encoder_; }
  double fraction() const;
  const DistillationConfig& config() const { return config_; }
  const std::vector<std::string>& prompts() const { return conditions_.prompts(); }

 private:
  EncodedPoint encode(const std::vector<ImageKey>& keys, const at::Tensor& view01, const at::Tensor& p_N);
  LatentGradient gradient(const std::vector<ImageKey>& keys, const at::Tensor& label_N, const at::Tensor& view01,
                          const at::Tensor& p_N, std::int64_t step, at::Tensor* t_N);
  at::Tensor applied_gradient(const at::Tensor& g_N, std::int64_t step) const;
  DistillationStep surrogate(const at::Tensor& p_N, const at::Tensor& g_N) const;
  void warn_if_confidence_falls(const at::Tensor& g_N);

  DistillationConfig config_;
  LatentTeacher teacher_;
  ClassConditions conditions_;
  ImageSource plain_image_;
  std::uint64_t seed_;
  EncoderForm encoder_;
  bool prepared_;
  std::unique_ptr<LatentCurve> curve_;
  std::int64_t seen_ = 0, negative_ = 0;
  bool warned_ = false;
};

// One line if g > 0 dominates over `images` images (share of g < 0 under a half): this LDM lowers confidence. Else empty.
std::string confidence_warning(double negative_share, std::int64_t images);

}  // namespace domainfusion
