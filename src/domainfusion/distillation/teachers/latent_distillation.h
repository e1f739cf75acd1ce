#pragma once
// Latent distillation: the LDM as a teacher of the classifier's confidence.
//
// With p_i = softmax(theta(x_i))[y_i] and g_i from latent_gradient.h, the loss of a step is the surrogate
//   L = lambda * mean_i g_i p_i,   g_i without graph,   so that   dL/dtheta = lambda * mean_i g_i dp_i/dtheta.
// The mean runs over the images drawn for the step (`fraction` of the batch). g < 0 raises confidence.
// lambda: `lambda_ld`, or in mode "share" the value that makes mean_i lambda |g_i| p_i = share: cross-entropy's
// gradient is -(1/p) dp/dtheta, so in the unit |factor of dp/dtheta| * p cross-entropy is 1.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/distillation/teachers/distillation_teacher.h"

namespace domainfusion {

// Residuals of the drawn images whose t lies in [low, high].
struct TimestepBin {
  std::int64_t low = 0, high = 0, images = 0;
  double mean_squared_residual = 0;  // 0 if there are none
};

struct DistillationFigures {
  std::int64_t images = 0;  // drawn in this step
  double mean_p = 0;
  double mean_g = 0, mean_abs_g = 0;  // before centering and controls
  double negative_share = 0;          // of g < 0, before centering and controls
  double lambda = 0;
  double ratio = 0;  // mean of lambda |g| p with the g that was used; cross-entropy has 1
  double loss = 0;
  double mean_squared_residual = 0;
  std::vector<TimestepBin> bins;  // ten, over t_min … t_max

  nlohmann::json to_json() const;
};

struct DistillationStep {
  at::Tensor loss;  // scalar with graph to the logits
  DistillationFigures figures;
};

class LatentDistillation final : public DistillationTeacher {
 public:
  using DistillationTeacher::DistillationTeacher;

  // For encoder = curve: runs the gate on `images` and opens the cache, or, if no K passes, says so and falls back to
  // the exact encoder. `known_points`: K, or 0 for the exact encoder; it skips the gate.
  std::optional<CurveGateResult> prepare(const std::vector<LabelledKey>& images, const std::string& identity,
                                         std::optional<std::int64_t> known_points = {},
                                         const std::function<void()>& stop_point = {}) override;

  void check_batch_size(std::int64_t size) const override;
  TeacherStep teach(const DistillationBatch& batch, std::int64_t step) override;
  // The surrogate loss of `batch` at `step` with all its figures.
  DistillationStep step(const DistillationBatch& batch, std::int64_t step);

  TeacherCost cost() const override;
  std::int64_t curve_points() const override { return curve_ ? curve_->points() : 0; }
  LatentCurve* curve() { return curve_.get(); }
  EncoderForm encoder() const { return encoder_; }

 private:
  EncodedPoint encode(const Drawn& drawn, std::int64_t first, const at::Tensor& p_N);
  LatentGradient gradient(const Drawn& drawn, const at::Tensor& p_N, std::int64_t step, at::Tensor* t_N);
  at::Tensor applied_gradient(const at::Tensor& g_N, std::int64_t step) const;
  DistillationStep surrogate(const at::Tensor& p_N, const at::Tensor& g_N) const;
  void warn_if_confidence_falls(const at::Tensor& g_N);

  EncoderForm encoder_ = config_.encoder;
  bool prepared_ = encoder_ != EncoderForm::kCurve;
  std::unique_ptr<LatentCurve> curve_;
  std::int64_t seen_ = 0, negative_ = 0;
  bool warned_ = false;
};

// Whether g > 0 dominates: `negative_share`, of g < 0, is under a half.
bool lowers_confidence(double negative_share);

// One line if g > 0 dominates over `images` images: this LDM lowers confidence. Else
// empty.
std::string confidence_warning(double negative_share, std::int64_t images);

}  // namespace domainfusion
