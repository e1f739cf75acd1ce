#include "domainfusion/distillation/teachers/latent_distillation.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/random/random.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kBins = 10;
constexpr std::int64_t kWarnAfterImages = 256;

std::vector<TimestepBin> bins_of(const at::Tensor& t_N, const at::Tensor& squared_N, std::int64_t t_min,
                                 std::int64_t t_max) {
  const std::int64_t width = t_max - t_min + 1;
  std::vector<TimestepBin> bins;
  for (std::int64_t b = 0; b < kBins; ++b) {
    const std::int64_t low = t_min + b * width / kBins, high = t_min + (b + 1) * width / kBins - 1;
    if (high < low) continue;
    const at::Tensor inside = t_N.ge(low).logical_and(t_N.le(high));
    const auto count = inside.sum().item<std::int64_t>();
    bins.push_back({low, high, count, count == 0 ? 0 : squared_N.masked_select(inside).mean().item<double>()});
  }
  return bins;
}

void describe_raw(const LatentGradient& raw, DistillationFigures& figures) {
  figures.mean_g = raw.g_N.mean().item<double>();
  figures.mean_abs_g = raw.g_N.abs().mean().item<double>();
  figures.negative_share = raw.g_N.lt(0).to(torch::kFloat64).mean().item<double>();
  figures.mean_squared_residual = raw.squared_residual_N.mean().item<double>();
}

}  // namespace

std::optional<CurveGateResult> LatentDistillation::prepare(const std::vector<LabelledKey>& images,
                                                           const std::string& identity,
                                                           std::optional<std::int64_t> known_points,
                                                           const std::function<void()>& stop_point) {
  if (encoder_ != EncoderForm::kCurve) return {};
  std::optional<CurveGateResult> gate;
  std::int64_t points = known_points.value_or(0);
  if (!known_points) {
    gate = measure_curve_gate(ldm_, config_, conditions_, plain_image_, images, kGateSeed, GateExtent::kFirstPassing,
                              stop_point);
    points = gate->chosen_points;
  }
  if (points == 0) {
    log_warning(
        "no latent curve passes the gate (rms error of g <= {}, sign agreement >= {}): the exact encoder is used",
        config_.curve.max_rms_error, config_.curve.min_sign_agreement);
    encoder_ = EncoderForm::kExact;
  } else {
    std::vector<ImageKey> keys;
    for (const LabelledKey& image : images) keys.push_back(image.key);
    curve_ = std::make_unique<LatentCurve>(ldm_, plain_image_, keys, points, config_.curve, identity);
  }
  prepared_ = true;
  return gate;
}

EncodedPoint LatentDistillation::encode(const Drawn& drawn, std::int64_t first, const at::Tensor& p_N) {
  const std::int64_t count = p_N.size(0);
  if (encoder_ == EncoderForm::kCurve) {
    return encoded_from_curve(curve_->at({drawn.keys.begin() + first, drawn.keys.begin() + first + count}, p_N));
  }
  const at::Tensor image01 = images(drawn, first, count);
  if (encoder_ == EncoderForm::kExact) return encode_exact(ldm_, image01, p_N);
  return encode_difference(ldm_, image01, p_N, config_.difference_step);
}

LatentGradient LatentDistillation::gradient(const Drawn& drawn, const at::Tensor& p_N, std::int64_t step,
                                            at::Tensor* t_N) {
  std::vector<at::Tensor> g, squared, t;
  for (std::int64_t first = 0; first < drawn.size(); first += config_.images_per_pass) {
    const std::int64_t size = std::min(config_.images_per_pass, drawn.size() - first);
    const std::vector<ImageKey> part(drawn.keys.begin() + first, drawn.keys.begin() + first + size);
    const EncodedPoint point = encode(drawn, first, p_N.narrow(0, first, size));
    const NoiseDraw noise = draw_noise(seed_, "distillation", static_cast<std::uint64_t>(step), part, config_.t_min,
                                       config_.t_max, point.z_NChw.sizes().slice(1));
    const auto one = latent_gradient(ldm_, config_, point, noise, conditions_.of(drawn.label_N.narrow(0, first, size)));
    g.push_back(one.g_N);
    squared.push_back(one.squared_residual_N);
    t.push_back(noise.t_N);
  }
  *t_N = torch::cat(t);
  return {torch::cat(g), torch::cat(squared)};
}

at::Tensor LatentDistillation::applied_gradient(const at::Tensor& g_N, std::int64_t step) const {
  const at::Tensor g = config_.g_mode == GradientMode::kCentered ? g_N - g_N.mean() : g_N;
  if (config_.control == GradientControl::kBatchMean) return g.mean().expand_as(g);
  if (config_.control == GradientControl::kShuffled) {
    RandomStream stream(seed_, "distillation shuffle", {static_cast<std::uint64_t>(step)});
    return g.index_select(0, torch::tensor(stream.cycle(g.size(0)), torch::kInt64));
  }
  return g;
}

// Of one image the mean is the image, and so is every order.
void LatentDistillation::check_batch_size(std::int64_t size) const {
  if (config_.g_mode == GradientMode::kRaw && config_.control == GradientControl::kNone) return;
  const std::size_t drawn = drawn_rows(size, 0).size();
  check<ConfigError>(drawn >= 2,
                     "distillation.g_mode = centered and distillation.control compare the images drawn in a step, and "
                     "of a batch of {} one is drawn: raise distillation.fraction or loader.batch_size",
                     size);
}

DistillationStep LatentDistillation::step(const DistillationBatch& batch, std::int64_t step) {
  check(prepared_, "encoder = curve was not prepared before the first step: call prepare()");
  const Drawn drawn = draw(batch, step);
  const at::Tensor p = drawn.confidence();
  at::Tensor t;
  const auto raw = gradient(drawn, p.detach(), step, &t);
  check_finite("g", raw.g_N, drawn.keys, step);
  warn_if_confidence_falls(raw.g_N);

  DistillationStep out = surrogate(p, applied_gradient(raw.g_N, step));
  describe_raw(raw, out.figures);
  out.figures.bins = bins_of(t, raw.squared_residual_N, config_.t_min, config_.t_max);
  return out;
}

TeacherStep LatentDistillation::teach(const DistillationBatch& batch, std::int64_t step_index) {
  const DistillationStep one = step(batch, step_index);
  const DistillationFigures& f = one.figures;
  return {one.loss, f.to_json(), {{"loss_ld", f.loss}, {"mean_p", f.mean_p}, {"negative_share", f.negative_share}}};
}

TeacherCost LatentDistillation::cost() const {
  const double unet = (config_.guidance == 1 ? 1 : 2) * (config_.jacobian == UnetJacobian::kFull ? 3 : 1);
  if (encoder_ == EncoderForm::kExact) return {.unet_per_drawn = unet, .encoder_per_drawn = 3};
  if (encoder_ == EncoderForm::kDifference) return {.unet_per_drawn = unet, .encoder_per_drawn = 2};
  constexpr double kNodes = 8;  // of K = 9, which most encoders need
  TeacherCost cost{.unet_per_drawn = unet,
                   .encoder_per_image = curve_ ? static_cast<double>(curve_->points() - 1) : kNodes};
  cost.latents_per_image = cost.encoder_per_image;
  if (prepared_) return cost;
  // The gate: each image exactly at every confidence, then from the nodes of each K up to 9.
  constexpr double kConfidences = std::size(kGateConfidences);
  const auto gated = static_cast<double>(config_.curve.gate_images);
  cost.unet_of_gate = gated * kConfidences * 3;
  cost.encoder_of_gate = gated * (kConfidences * 3 + 4 + 8);
  return cost;
}

DistillationStep LatentDistillation::surrogate(const at::Tensor& p_N, const at::Tensor& g_N) const {
  const at::Tensor p = p_N.detach().to(torch::kCPU, torch::kFloat64);
  const double size = (g_N.abs() * p).mean().item<double>();
  DistillationStep out;
  DistillationFigures& f = out.figures;
  f.lambda = config_.lambda_ld_mode == LambdaMode::kFixed ? config_.lambda_ld : size > 0 ? config_.share / size : 0;
  out.loss = ((f.lambda * g_N).to(p_N.options()) * p_N).mean();
  f.images = g_N.size(0);
  f.mean_p = p.mean().item<double>();
  f.ratio = f.lambda * size;
  f.loss = out.loss.item<double>();
  return out;
}

void LatentDistillation::warn_if_confidence_falls(const at::Tensor& g_N) {
  seen_ += g_N.numel();
  negative_ += g_N.lt(0).sum().item<std::int64_t>();
  if (warned_ || seen_ < kWarnAfterImages) return;
  warned_ = true;
  const auto warning = confidence_warning(static_cast<double>(negative_) / static_cast<double>(seen_), seen_);
  if (!warning.empty() && config_.g_mode == GradientMode::kRaw) log_warning("{}", warning);
}

// A comparison with NaN is false.
bool lowers_confidence(double negative_share) { return !(negative_share >= 0.5); }

std::string confidence_warning(double negative_share, std::int64_t images) {
  if (!lowers_confidence(negative_share)) return {};
  return fmt::format(
      "this LDM lowers confidence: g > 0 for {:.0f} % of {} images, so distillation acts like a label-smoothing "
      "penalty; `domainfusion inspect premise` measures it, distillation.g_mode = centered leaves confidence "
      "as a whole alone",
      100 * (1 - negative_share), images);
}

nlohmann::json DistillationFigures::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const TimestepBin& bin : bins) {
    list.push_back(
        {{"t", {bin.low, bin.high}}, {"images", bin.images}, {"mean_squared_residual", bin.mean_squared_residual}});
  }
  return {{"images", images},  {"mean_p", mean_p},
          {"mean_g", mean_g},  {"mean_abs_g", mean_abs_g},
          {"lambda", lambda},  {"ratio", ratio},
          {"loss", loss},      {"negative_share", negative_share},
          {"timesteps", list}, {"mean_squared_residual", mean_squared_residual}};
}

}  // namespace domainfusion
