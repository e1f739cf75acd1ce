#pragma once
// The premise of latent distillation, measured for an LDM: is a more confident (brighter, less flat) image easier to
// denoise?
//
// Over a grid of confidences p, with the exact encoder: L_LD(p) = mean over images, draws and elements of r^2, and
// g(p) = w(t) mean(r * dz/dp) (latent_gradient.h). g < 0 raises confidence. Where g > 0 dominates, distillation as the
// source has it lowers confidence, whatever the image shows.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/distillation/curves/latent_gradient.h"
#include "domainfusion/metrics/classification.h"

namespace domainfusion {

struct PremiseRequest {
  std::vector<double> confidences = {0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 1};
  std::int64_t images = 64;  // at most, drawn from the seed
  std::int64_t draws = 4;    // of (t, eps) per image, the same at every p
  // Also measure how much worse a wrong class's prompt does: a second U-Net pass.
  bool class_difference = false;
};

// Means and errors are over images; an image counts as the mean of its draws.
struct PremiseRow {
  double p = 0;
  MeanAndError loss;  // L_LD
  MeanAndError g;
  double mean_abs_g = 0;          // over images and draws
  double negative_share = 0;      // of g < 0, over images and draws
  MeanAndError class_difference;  // L_LD(wrong class) - L_LD(own class); zeros unless asked for
};

// Of the premise gate, by which a run decides whether this LDM may teach: a run's seed has no part in it, so that runs
// of all seeds decide alike.
inline constexpr std::uint64_t kPremiseGateSeed = 0;
inline constexpr std::int64_t kPremiseGateImages = 32, kPremiseGateDraws = 2;
inline constexpr double kPremiseGateConfidences[] = {0.1, 0.3, 0.5, 0.7, 0.9};
PremiseRequest premise_gate_request();

// Whether the premise has a say: the teacher `score` with g as it is. Centered, g leaves confidence as a whole alone;
// other teachers have no g.
bool asks_for_premise(const DistillationConfig& config);

// The gate's verdict for people, from the share of g < 0 over all images, draws and confidences measured: distillation
// stays off if lowers_confidence() of it.
std::string premise_verdict(double negative_share);

struct PremiseResult {
  std::vector<PremiseRow> rows;
  std::int64_t images = 0, draws = 0;
  bool has_class_difference = false;

  double negative_share() const;  // mean over rows
  // One line if g > 0 dominates over the grid, else empty.
  std::string warning() const;
  std::string table() const;
  nlohmann::json to_json() const;
};

// t and eps of draw k of an image come from RandomStream(seed, "premise", {k, domain, index}), the images from
// RandomStream(seed, "premise images"), an image's wrong class from RandomStream(seed, "premise wrong class", {domain,
// index}). Uses of `config`: weighting, jacobian, t_min, t_max, guidance. ConfigError if there are no images, a
// confidence lies outside [0, 1], or class_difference is asked for with fewer than 2 classes; Error if a g is
// not finite. `stop_point` is called between images and may throw.
PremiseResult measure_premise(const LdmFunctions& ldm, const DistillationConfig& config,
                              const ClassConditions& conditions, const ImageSource& source,
                              const std::vector<LabelledKey>& images, std::uint64_t seed,
                              const PremiseRequest& request = {}, const std::function<void()>& stop_point = {});

}  // namespace domainfusion
