#pragma once
// The gate of the fast form: the smallest number of nodes K whose interpolated curve gives the same g as the exact
// encoder.

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "domainfusion/distillation/curves/latent_gradient.h"

namespace domainfusion {

// Of a run's gate, whatever the run's own seed: runs that differ in nothing but that use the same K, and share its
// curves.
inline constexpr std::uint64_t kGateSeed = 0;

// Confidences at which curve and encoder are compared.
inline constexpr double kGateConfidences[] = {0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1};

struct CurveGateRow {
  std::int64_t points = 0;    // K
  double rms_error = 0;       // rms(g_curve - g_exact) / rms(g_exact), over images and confidences
  double sign_agreement = 0;  // share of equal signs
  double cosine = 0;          // of the two vectors of g
  bool passes = false;
};

struct CurveGateResult {
  std::vector<CurveGateRow> rows;
  std::int64_t images = 0;
  std::int64_t chosen_points = 0;  // the smallest K that passes; 0: none does, use the exact encoder
  double max_rms_error = 0, min_sign_agreement = 0;

  std::string table() const;  // text for people, several lines
  nlohmann::json to_json() const;
  // The verdict that to_json() wrote. FormatError if it is none.
  static CurveGateResult from_json(const nlohmann::json& object);
};

// Which sizes to measure: up to the first that passes (what a run needs), or all.
enum class GateExtent { kFirstPassing, kAll };

// Measures config.curve.points, or 5, 9, 17, 33 in turn if it is 0, on config.curve.gate_images of `images` (all, if
// there are fewer) drawn from RandomStream(seed, "curve gate images"); t and eps of image i at confidence k from
// RandomStream(seed, "curve gate", {k, domain, index}), the same for curve and encoder. ConfigError if `images` is
// empty and, up to the first that passes, if the curves of all images would be over config.curve.limit_mb at a K that
// comes up: asked before that K is measured. `stop_point` is called between images and may throw.
CurveGateResult measure_curve_gate(const LdmFunctions& ldm, const DistillationConfig& config,
                                   const ClassConditions& conditions, const ImageSource& source,
                                   const std::vector<LabelledKey>& images, std::uint64_t seed,
                                   GateExtent extent = GateExtent::kFirstPassing,
                                   const std::function<void()>& stop_point = {});

// `count` of the images, or all if there are fewer, without repeats, in the order of the list: drawn from
// RandomStream(seed, purpose).
std::vector<LabelledKey> draw_images(const std::vector<LabelledKey>& images, std::int64_t count, std::uint64_t seed,
                                     std::string_view purpose);

}  // namespace domainfusion
