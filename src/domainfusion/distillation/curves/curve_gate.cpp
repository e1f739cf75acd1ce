#include "domainfusion/distillation/curves/curve_gate.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/distillation/curves/latent_curve.h"

namespace domainfusion {
namespace {

const at::Tensor& gate_confidences() {
  static const at::Tensor p = torch::tensor(at::ArrayRef<double>(kGateConfidences), torch::kFloat64);
  return p;
}

// One image with its noise at every confidence, and its exact g there.
struct GateImage {
  at::Tensor image01_3HW;
  NoiseDraw noise;
  TextCondition condition;
  at::Tensor exact_g_P;
};

class Gate {
 public:
  Gate(const LdmFunctions& ldm, const DistillationConfig& config, const ClassConditions& conditions)
      : ldm_(ldm), config_(config), conditions_(conditions) {
    torch::NoGradGuard no_graph;
    zero_node_1Chw_ = ldm.encode(torch::zeros({1, 3, ldm.image_size_px, ldm.image_size_px}).to(ldm.device));
  }

  std::int64_t latent_elements() const { return zero_node_1Chw_.numel(); }

  void add(const ImageSource& source, const LabelledKey& image, std::uint64_t seed) {
    const std::int64_t count = gate_confidences().numel();
    GateImage one;
    const at::Tensor batch = plain_images(source, {image.key}, ldm_.image_size_px, ldm_.device);
    one.image01_3HW = batch[0];
    one.condition = conditions_.of(torch::full({count}, image.label, torch::kInt64));
    std::vector<at::Tensor> t, epsilon;
    for (std::int64_t k = 0; k < count; ++k) {
      const NoiseDraw draw = draw_noise(seed, "curve gate", static_cast<std::uint64_t>(k), {image.key}, config_.t_min,
                                        config_.t_max, zero_node_1Chw_.sizes().slice(1));
      t.push_back(draw.t_N);
      epsilon.push_back(draw.epsilon_NChw);
    }
    one.noise = {torch::cat(t), torch::cat(epsilon)};
    const EncodedPoint exact = encode_exact(ldm_, batch.expand({count, -1, -1, -1}), gate_confidences());
    one.exact_g_P = latent_gradient(ldm_, config_, exact, one.noise, one.condition).g_N;
    images_.push_back(std::move(one));
  }

  CurveGateRow measure(std::int64_t points) const {
    std::vector<at::Tensor> curve_g, exact_g;
    Progress progress(fmt::format("latent curve gate, K = {}", points), static_cast<std::int64_t>(images_.size()),
                      "images");
    for (const GateImage& one : images_) {
      const at::Tensor nodes =
          torch::cat({zero_node_1Chw_.to(torch::kCPU, torch::kFloat32), curve_nodes(ldm_, one.image01_3HW, points)});
      const at::Tensor batch = nodes.unsqueeze(0).expand({gate_confidences().numel(), -1, -1, -1, -1});
      const EncodedPoint point = encoded_from_curve(interpolate(batch.to(ldm_.device), gate_confidences()));
      curve_g.push_back(latent_gradient(ldm_, config_, point, one.noise, one.condition).g_N);
      exact_g.push_back(one.exact_g_P);
      progress.update(static_cast<std::int64_t>(curve_g.size()));
    }
    progress.finish();
    return compare(points, torch::cat(curve_g), torch::cat(exact_g));
  }

 private:
  CurveGateRow compare(std::int64_t points, const at::Tensor& curve_g, const at::Tensor& exact_g) const {
    CurveGateRow row{points};
    row.rms_error = ((curve_g - exact_g).norm() / exact_g.norm()).item<double>();
    row.sign_agreement = (curve_g.sign() == exact_g.sign()).to(torch::kFloat64).mean().item<double>();
    row.cosine = (curve_g.dot(exact_g) / (curve_g.norm() * exact_g.norm())).item<double>();
    // A comparison with NaN is false: a broken encoder never passes.
    row.passes = row.rms_error <= config_.curve.max_rms_error && row.sign_agreement >= config_.curve.min_sign_agreement;
    return row;
  }

  const LdmFunctions& ldm_;
  const DistillationConfig& config_;
  const ClassConditions& conditions_;
  at::Tensor zero_node_1Chw_;
  std::vector<GateImage> images_;
};

}  // namespace

std::vector<LabelledKey> draw_images(const std::vector<LabelledKey>& images, std::int64_t count, std::uint64_t seed,
                                     std::string_view purpose) {
  auto order = RandomStream(seed, purpose).permutation(static_cast<std::int64_t>(images.size()));
  order.resize(static_cast<std::size_t>(std::min<std::int64_t>(count, static_cast<std::int64_t>(order.size()))));
  std::sort(order.begin(), order.end());
  std::vector<LabelledKey> drawn;
  for (std::int64_t i : order) drawn.push_back(images[static_cast<std::size_t>(i)]);
  return drawn;
}

CurveGateResult measure_curve_gate(const LdmFunctions& ldm, const DistillationConfig& config,
                                   const ClassConditions& conditions, const ImageSource& source,
                                   const std::vector<LabelledKey>& images, std::uint64_t seed, GateExtent extent,
                                   const std::function<void()>& stop_point) {
  check<ConfigError>(!images.empty(), "the latent curve gate was given no images: name domains that hold some");
  const auto sample = draw_images(images, config.curve.gate_images, seed, "curve gate images");
  CurveGateResult result{
      {}, static_cast<std::int64_t>(sample.size()), 0, config.curve.max_rms_error, config.curve.min_sign_agreement};
  Gate gate(ldm, config, conditions);
  const auto check_size = [&](std::int64_t points) {
    check_curve_size(static_cast<std::int64_t>(images.size()), points, gate.latent_elements(), config.curve);
  };
  if (extent == GateExtent::kFirstPassing)
    check_size(config.curve.points == 0 ? kNestedPointCounts[0] : config.curve.points);
  Progress progress("latent curve gate, exact encoder", result.images, "images");
  for (std::size_t i = 0; i < sample.size(); ++i) {
    if (stop_point) stop_point();
    gate.add(source, sample[i], seed);
    progress.update(static_cast<std::int64_t>(i) + 1);
  }
  progress.finish();
  for (std::int64_t points : kNestedPointCounts) {
    if (config.curve.points != 0 && config.curve.points != points) continue;
    if (extent == GateExtent::kFirstPassing) check_size(points);
    result.rows.push_back(gate.measure(points));
    if (result.chosen_points == 0 && result.rows.back().passes) result.chosen_points = points;
    if (result.chosen_points != 0 && extent == GateExtent::kFirstPassing) break;
  }
  return result;
}

std::string CurveGateResult::table() const {
  std::string text =
      fmt::format("latent curve against the exact encoder, {} images at p in {{{}}}\n{:>4} {:>12} {:>16} {:>9}\n",
                  images, fmt::join(kGateConfidences, ", "), "K", "rms error", "sign agreement", "cosine");
  for (const CurveGateRow& row : rows) {
    text += fmt::format("{:>4} {:>10.2f} % {:>14.2f} % {:>9.5f}  {}\n", row.points, 100 * row.rms_error,
                        100 * row.sign_agreement, row.cosine, row.passes ? "passes" : "fails");
  }
  const std::string limits =
      fmt::format("rms error <= {:g} %, sign agreement >= {:g} %", 100 * max_rms_error, 100 * min_sign_agreement);
  return text + (chosen_points != 0 ? fmt::format("K = {} is the smallest with {}\n", chosen_points, limits)
                                    : fmt::format("no K reaches {}: the exact encoder is used\n", limits));
}

nlohmann::json CurveGateResult::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const CurveGateRow& row : rows) {
    list.push_back({{"points", row.points},
                    {"rms_error", row.rms_error},
                    {"sign_agreement", row.sign_agreement},
                    {"cosine", row.cosine},
                    {"passes", row.passes}});
  }
  return {{"rows", list},
          {"images", images},
          {"chosen_points", chosen_points},
          {"max_rms_error", max_rms_error},
          {"min_sign_agreement", min_sign_agreement}};
}

CurveGateResult CurveGateResult::from_json(const nlohmann::json& object) {
  try {
    CurveGateResult result{{},
                           object.at("images"),
                           object.at("chosen_points"),
                           object.at("max_rms_error"),
                           object.at("min_sign_agreement")};
    for (const nlohmann::json& row : object.at("rows"))
      result.rows.push_back(
          {row.at("points"), row.at("rms_error"), row.at("sign_agreement"), row.at("cosine"), row.at("passes")});
    return result;
  } catch (const nlohmann::json::exception& error) {
    throw FormatError(fmt::format("this is no verdict of the latent curve gate: {}", error.what()));
  }
}

}  // namespace domainfusion
