#pragma once
// Options of latent distillation. Where the source gives no constant, the defaults are this project's own.

#include <cstdint>
#include <string>

#include "domainfusion/config/config_fields.h"

namespace domainfusion {

enum class LambdaMode { kShare, kFixed };
enum class GradientMode { kRaw, kCentered };
enum class GradientControl { kNone, kBatchMean, kShuffled };
enum class TimestepWeighting { kSigma2, kUniform, kSnr };
enum class UnetJacobian { kDropped, kFull };
enum class EncoderForm { kExact, kDifference, kCurve };
enum class DistillationView { kPlain, kAugmented };
enum class DistilledImages { kRaw, kRawAndSynthetic };

// The cache of each image's curve z(p), and the gate that it must pass before it may stand in for the encoder.
struct LatentCurveConfig {
  std::int64_t points = 0;           // 5, 9, 17, 33; 0: the smallest that passes the gate
  std::int64_t gate_images = 64;     // images that the gate measures
  double max_rms_error = 0.10;       // of g, relative to the rms of the exact g
  double min_sign_agreement = 0.98;  // share of g with the sign of the exact g
  std::string folder;                // of memory-mapped files that runs share; empty: in memory
  std::int64_t limit_mb = 2048;      // refuse a larger cache

  void describe(ConfigFields& fields);
};

// The teacher diffusion_classifier.
struct DiffusionClassifierConfig {
  double weight = 1;              // of the divergence in the loss
  double temperature = 1;         // divides the log posterior; 1: the LDM's own
  std::int64_t draws = 1;         // of (t, eps) per image and step
  std::int64_t max_classes = 10;  // scored per image: the label and those that the classifier finds likeliest
  std::int64_t limit_mb = 2048;   // keep at most this much of encoded images

  void describe(ConfigFields& fields);
};

struct DistillationConfig {
  std::string teacher = "score";
  LambdaMode lambda_ld_mode = LambdaMode::kShare;
  double lambda_ld = 1;  // factor in mode "fixed"
  double share = 0.3;    // batch mean of lambda |g| p in mode "share"; the same figure of cross-entropy is 1
  GradientMode g_mode = GradientMode::kRaw;
  GradientControl control = GradientControl::kNone;
  TimestepWeighting weighting = TimestepWeighting::kSigma2;
  std::int64_t t_min = 20, t_max = 980;  // both included
  UnetJacobian jacobian = UnetJacobian::kDropped;
  EncoderForm encoder = EncoderForm::kCurve;
  double difference_step = 0.005;  // h of (z(p + h) - z(p - h)) / 2h
  double fraction = 0;             // share of the batch that enters the LDM; 0: 1 on a GPU, 0.25 on a CPU
  DistillationView view = DistillationView::kPlain;
  DistilledImages images = DistilledImages::kRaw;
  double guidance = 1;
  std::string prompt = "an image of a {class}";
  std::int64_t images_per_pass = 64;  // of the LDM; bounds memory
  LatentCurveConfig curve;
  DiffusionClassifierConfig classifier;

  void describe(ConfigFields& fields);
  // ConfigError for values that are each in range but do not go together.
  void validate() const;
};

// The template with "{class}" replaced by `class_name`, whose _ and - become spaces. ConfigError for another
// {placeholder}.
std::string distillation_prompt(const std::string& prompt_template, const std::string& class_name);

}  // namespace domainfusion
