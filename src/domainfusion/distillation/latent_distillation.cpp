#include "domainfusion/distillation/latent_distillation.h"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/random.h"

namespace domainfusion {
namespace {

constexpr std::int64_t kBins = 10;
constexpr std::int64_t kWarnAfterImages = 256;

DistillationConfig validated(DistillationConfig config, const LatentTeacher& teacher) {
  config.validate();
  check<ConfigError>(config.t_max < teacher.alphas_cumprod.size(0),
                     "distillation.t_max = {}: this LDM has timesteps 0 … {}", config.t_max,
                     teacher.alphas_cumprod.size(0) - 1);
  return config;
}

std::vector<ImageKey> keys_of(const at::Tensor& domain_N, const at::Tensor& index_N) {
  std::vector<ImageKey> keys;
  for (std::int64_t i = 0; i < domain_N.size(0); ++i) {
    keys.push_back({domain_N[i].item<std::int64_t>(), index_N[i].item<std::int64_t>()});
  }
  return keys;
}

void check_batch(const DistillationBatch& batch, bool augmented) {
  const std::int64_t n = batch.logits_NK.dim() == 2 ? batch.logits_NK.size(0) : 0;
  check<ShapeError>(n > 0 && batch.label_N.numel() == n && batch.domain_N.numel() == n && batch.index_N.numel() == n,
                    "a distillation batch has logits of shape [{}], {} labels, {} domains and {} indices: expected [N, K], N, "
                    "N, N with N >= 1",
                    fmt::join(batch.logits_NK.sizes(), ", "), batch.label_N.numel(), batch.domain_N.numel(),
                    batch.index_N.numel());
  check<ShapeError>(!augmented || (batch.view01_N3HW.defined() && batch.view01_N3HW.size(0) == n),
                    "view = augmented needs the classifier's view of each of the {} images of the batch", n);
}

std::vector<TimestepBin> bins_of(const at::Tensor& t_N, const at::Tensor& squared_N, std::int64_t t_min, std::int64_t t_max) {
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

void check_finite(const char* what, const at::Tensor& values_N, const std::vector<ImageKey>& keys, std::int64_t step) {
  for (std::int64_t i = 0; i < values_N.size(0); ++i) {
    const double value = values_N[i].item<double>();
    check(std::isfinite(value),
          "distillation step {}: {} of image {} of domain {} is {}; the {} diverged: lower the learning rate, and use float32",
          step, what, keys[i].index, keys[i].domain, value, *what == 'p' ? "classifier" : "LDM");
  }
}

void describe_raw(const LatentGradient& raw, DistillationFigures& figures) {
  figures.mean_g = raw.g_N.mean().item<double>();
  figures.mean_abs_g = raw.g_N.abs().mean().item<double>();
  figures.negative_share = raw.g_N.lt(0).to(torch::kFloat64).mean().item<double>();
  figures.mean_squared_residual = raw.squared_residual_N.mean().item<double>();
}

}  // namespace

LatentDistillation::LatentDistillation(DistillationConfig config, LatentTeacher teacher,
                                       const std::vector<std::string>& class_names, ImageSource plain_image,
                                       std::uint64_t seed)
    : config_(validated(std::move(config), teacher)),
      teacher_(std::move(teacher)),
      conditions_(teacher_, config_, class_names),
      plain_image_(std::move(plain_image)),
      seed_(seed),
      encoder_(config_.encoder),
      prepared_(encoder_ != EncoderForm::kCurve) {}

std::optional<CurveGateResult> LatentDistillation::prepare(const std::vector<LabelledKey>& images,
                                                           const CurveStorage& storage,
                                                           std::optional<std::int64_t> known_points,
                                                           const std::function<void()>& stop_point) {
  if (encoder_ != EncoderForm::kCurve) return {};
  std::optional<CurveGateResult> gate;
  std::int64_t points = known_points.value_or(0);
  if (!known_points) {
    gate = measure_curve_gate(teacher_, config_, conditions_, plain_image_, images, seed_, GateExtent::kFirstPassing,
                              stop_point);
    points = gate->chosen_points;
  }
  if (points == 0) {
    log_warning("no latent curve passes the gate (rms error of g <= {}, sign agreement >= {}): the exact encoder is used",
                config_.curve.max_rms_error, config_.curve.min_sign_agreement);
    encoder_ = EncoderForm::kExact;
  } else {
    std::vector<ImageKey> keys;
    for (const LabelledKey& image : images) keys.push_back(image.key);
    curve_ = std::make_unique<LatentCurve>(teacher_, plain_image_, keys, points, config_.curve, storage);
  }
  prepared_ = true;
  return gate;
}

double LatentDistillation::fraction() const {
  if (config_.fraction > 0) return config_.fraction;
  return teacher_.device.is_cpu() ? 0.25 : 1;
}

std::vector<std::int64_t> LatentDistillation::drawn_rows(std::int64_t size, std::int64_t step) const {
  const auto drawn = std::max<std::int64_t>(1, std::llround(fraction() * static_cast<double>(size)));
  auto rows = RandomStream(seed_, "distillation rows", {static_cast<std::uint64_t>(step)}).permutation(size);
  rows.resize(static_cast<std::size_t>(std::min(drawn, size)));
  std::sort(rows.begin(), rows.end());
  return rows;
}

EncodedPoint LatentDistillation::encode(const std::vector<ImageKey>& keys, const at::Tensor& view01, const at::Tensor& p_N) {
  if (encoder_ == EncoderForm::kCurve) return encoded_from_curve(curve_->at(keys, p_N));
  const at::Tensor image01 = view01.defined() ? view01.detach().to(teacher_.device)
                                              : plain_images(plain_image_, keys, teacher_.image_size_px, teacher_.device);
  if (encoder_ == EncoderForm::kExact) return encode_exact(teacher_, image01, p_N);
  return encode_difference(teacher_, image01, p_N, config_.difference_step);
}

LatentGradient LatentDistillation::gradient(const std::vector<ImageKey>& keys, const at::Tensor& label_N,
                                            const at::Tensor& view01, const at::Tensor& p_N, std::int64_t step,
                                            at::Tensor* t_N) {
  std::vector<at::Tensor> g, squared, t;
  const auto count = static_cast<std::int64_t>(keys.size());
  for (std::int64_t first = 0; first < count; first += config_.images_per_pass) {
    const std::int64_t size = std::min(config_.images_per_pass, count - first);
    const std::vector<ImageKey> part(keys.begin() + first, keys.begin() + first + size);
    const at::Tensor view = view01.defined() ? view01.narrow(0, first, size) : view01;
    const EncodedPoint point = encode(part, view, p_N.narrow(0, first, size));
    const NoiseDraw noise = draw_noise(seed_, "distillation", static_cast<std::uint64_t>(step), part, config_.t_min,
                                       config_.t_max, point.z_NChw.sizes().slice(1));
    const auto one = latent_gradient(teacher_, config_, point, noise, conditions_.of(label_N.narrow(0, first, size)));
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
    return g.index_select(0, torch::tensor(stream.permutation(g.size(0)), torch::kInt64));
  }
  return g;
}

DistillationStep LatentDistillation::step(const DistillationBatch& batch, std::int64_t step) {
  check(prepared_, "encoder = curve was not prepared before the first step: call prepare()");
  const bool augmented = config_.view == DistillationView::kAugmented;
  check_batch(batch, augmented);
  const at::Tensor rows = torch::tensor(drawn_rows(batch.logits_NK.size(0), step), torch::kInt64);
  const auto pick = [&](const at::Tensor& values) { return values.index_select(0, rows.to(values.device())); };
  const at::Tensor label = pick(batch.label_N).to(batch.logits_NK.device());
  const at::Tensor p = pick(batch.logits_NK).softmax(1).gather(1, label.unsqueeze(1)).squeeze(1);
  const auto keys = keys_of(pick(batch.domain_N).to(torch::kCPU), pick(batch.index_N).to(torch::kCPU));
  check_finite("p", p.detach(), keys, step);
  at::Tensor t;
  const auto raw = gradient(keys, label, augmented ? pick(batch.view01_N3HW) : at::Tensor(), p.detach(), step, &t);
  check_finite("g", raw.g_N, keys, step);
  warn_if_confidence_falls(raw.g_N);

  DistillationStep out = surrogate(p, applied_gradient(raw.g_N, step));
  describe_raw(raw, out.figures);
  out.figures.bins = bins_of(t, raw.squared_residual_N, config_.t_min, config_.t_max);
  return out;
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

std::string confidence_warning(double negative_share, std::int64_t images) {
  if (negative_share >= 0.5) return {};
  return fmt::format("this LDM lowers confidence: g > 0 for {:.0f} % of {} images, so distillation acts like a label-smoothing "
                     "penalty; `domainfusion inspect premise` measures it, distillation.g_mode = centered leaves confidence "
                     "as a whole alone",
                     100 * (1 - negative_share), images);
}

nlohmann::json DistillationFigures::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  for (const TimestepBin& bin : bins) {
    list.push_back({{"t", {bin.low, bin.high}}, {"images", bin.images}, {"mean_squared_residual", bin.mean_squared_residual}});
  }
  return {{"images", images},   {"mean_p", mean_p},
          {"mean_g", mean_g},   {"mean_abs_g", mean_abs_g},
          {"lambda", lambda},   {"ratio", ratio},
          {"loss", loss},       {"negative_share", negative_share},
          {"timesteps", list},  {"mean_squared_residual", mean_squared_residual}};
}

}  // namespace domainfusion
