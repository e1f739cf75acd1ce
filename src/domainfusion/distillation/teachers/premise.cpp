#include "domainfusion/distillation/teachers/premise.h"

#include <torch/types.h>

#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/distillation/curves/curve_gate.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"

namespace domainfusion {
namespace {

// One image at every confidence [P], averaged over draws by the caller.
struct PremiseSample {
  at::Tensor loss_P, g_P, difference_P;
};

// The draw of one image, repeated for each of `count` confidences.
NoiseDraw repeated(const NoiseDraw& one, std::int64_t count) {
  return {one.t_N.expand({count}).contiguous(), one.epsilon_NChw.expand({count, -1, -1, -1})};
}

std::int64_t wrong_class(const LabelledKey& image, std::int64_t classes, std::uint64_t seed) {
  RandomStream stream(seed, "premise wrong class",
                      {static_cast<std::uint64_t>(image.key.domain), static_cast<std::uint64_t>(image.key.index)});
  return (image.label + 1 + static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(classes - 1)))) % classes;
}

MeanAndError mean_and_error(const at::Tensor& values_N) {
  return {values_N.mean().item<double>(),
          values_N.std(false).item<double>() / std::sqrt(static_cast<double>(values_N.numel()))};
}

class PremiseMeasure {
 public:
  PremiseMeasure(const LdmFunctions& ldm, const DistillationConfig& config, const ClassConditions& conditions,
                 const PremiseRequest& request, std::uint64_t seed)
      : ldm_(ldm),
        config_(config),
        conditions_(conditions),
        request_(request),
        seed_(seed),
        p_P_(torch::tensor(request.confidences, torch::kFloat64)) {}

  PremiseSample sample(const ImageSource& source, const LabelledKey& image, std::int64_t draw) const {
    const std::int64_t count = p_P_.numel();
    const at::Tensor batch = plain_images(source, {image.key}, ldm_.image_size_px, ldm_.device);
    const EncodedPoint point = encode_exact(ldm_, batch.expand({count, -1, -1, -1}), p_P_);
    const NoiseDraw noise = repeated(draw_noise(seed_, "premise", static_cast<std::uint64_t>(draw), {image.key},
                                                config_.t_min, config_.t_max, point.z_NChw.sizes().slice(1)),
                                     count);
    const auto own = latent_gradient(ldm_, config_, point, noise, condition(image.label));
    PremiseSample out{own.squared_residual_N, own.g_N, torch::zeros_like(own.g_N)};
    if (request_.class_difference) {
      const EncodedPoint flat = encoded_from_curve({point.z_NChw, torch::zeros_like(point.z_NChw)});
      const auto classes = static_cast<std::int64_t>(conditions_.prompts().size());
      const auto wrong = latent_gradient(ldm_, config_, flat, noise, condition(wrong_class(image, classes, seed_)));
      out.difference_P = wrong.squared_residual_N - own.squared_residual_N;
    }
    return out;
  }

 private:
  TextCondition condition(std::int64_t label) const {
    return conditions_.of(torch::full({p_P_.numel()}, label, torch::kInt64));
  }

  const LdmFunctions& ldm_;
  const DistillationConfig& config_;
  const ClassConditions& conditions_;
  const PremiseRequest& request_;
  std::uint64_t seed_;
  at::Tensor p_P_;
};

void check_request(const PremiseRequest& request, std::size_t images, std::size_t classes) {
  check<ConfigError>(images > 0, "the premise was to be measured on no images: name domains that hold some");
  check<ConfigError>(!request.confidences.empty(),
                     "the premise was to be measured at no confidence: give some p in [0, 1]");
  for (double p : request.confidences) check<ConfigError>(p >= 0 && p <= 1, "confidence {}: expected p in [0, 1]", p);
  check<ConfigError>(!request.class_difference || classes >= 2, "a wrong class needs at least 2 classes; there is {}",
                     classes);
}

// `values` [images, draws, P].
std::vector<PremiseRow> rows_of(const std::vector<double>& confidences, const at::Tensor& loss, const at::Tensor& g,
                                const at::Tensor& difference) {
  std::vector<PremiseRow> rows;
  for (std::size_t k = 0; k < confidences.size(); ++k) {
    const auto at_p = [&](const at::Tensor& values) { return values.select(2, static_cast<std::int64_t>(k)); };
    rows.push_back({confidences[k], mean_and_error(at_p(loss).mean(1)), mean_and_error(at_p(g).mean(1)),
                    at_p(g).abs().mean().item<double>(), at_p(g).lt(0).to(torch::kFloat64).mean().item<double>(),
                    mean_and_error(at_p(difference).mean(1))});
  }
  return rows;
}

}  // namespace

PremiseRequest premise_gate_request() {
  return {
      {std::begin(kPremiseGateConfidences), std::end(kPremiseGateConfidences)}, kPremiseGateImages, kPremiseGateDraws};
}

bool asks_for_premise(const DistillationConfig& config) {
  return config.teacher == "score" && config.g_mode == GradientMode::kRaw;
}

std::string premise_verdict(double negative_share) {
  if (lowers_confidence(negative_share)) {
    return fmt::format(
        "distillation: off, because g > 0 for {:.0f} % of draws: this LDM finds more confident images harder to "
        "denoise; domainfusion.latent_distillation=on trains it all the same",
        100 * (1 - negative_share));
  }
  return fmt::format("distillation: on, because g < 0 for {:.0f} % of draws: this LDM raises confidence",
                     100 * negative_share);
}

PremiseResult measure_premise(const LdmFunctions& ldm, const DistillationConfig& config,
                              const ClassConditions& conditions, const ImageSource& source,
                              const std::vector<LabelledKey>& images, std::uint64_t seed, const PremiseRequest& request,
                              const std::function<void()>& stop_point) {
  check_request(request, images.size(), conditions.prompts().size());
  const auto sample = draw_images(images, request.images, seed, "premise images");
  const PremiseMeasure measure(ldm, config, conditions, request, seed);
  const auto count = static_cast<std::int64_t>(sample.size());
  Progress progress("premise", count, "images");
  std::vector<at::Tensor> loss, g, difference;
  for (std::int64_t i = 0; i < count; ++i) {
    if (stop_point) stop_point();
    for (std::int64_t draw = 0; draw < request.draws; ++draw) {
      const PremiseSample one = measure.sample(source, sample[static_cast<std::size_t>(i)], draw);
      check(torch::isfinite(one.g_P).all().item<bool>(),
            "the premise: g of image {} of domain {} is not finite; choose another LDM, or one of float32",
            sample[static_cast<std::size_t>(i)].key.index, sample[static_cast<std::size_t>(i)].key.domain);
      loss.push_back(one.loss_P);
      g.push_back(one.g_P);
      difference.push_back(one.difference_P);
    }
    progress.update(i + 1);
  }
  progress.finish();
  const std::vector<std::int64_t> shape = {count, request.draws, static_cast<std::int64_t>(request.confidences.size())};
  const auto stacked = [&](const std::vector<at::Tensor>& values) { return torch::stack(values).view(shape); };
  return {rows_of(request.confidences, stacked(loss), stacked(g), stacked(difference)), count, request.draws,
          request.class_difference};
}

double PremiseResult::negative_share() const {
  double sum = 0;
  for (const PremiseRow& row : rows) sum += row.negative_share;
  return rows.empty() ? 0 : sum / static_cast<double>(rows.size());
}

std::string PremiseResult::warning() const { return confidence_warning(negative_share(), images); }

std::string PremiseResult::table() const {
  std::string text =
      fmt::format("premise of latent distillation, {} images, {} draws each\n{:>6} {:>19} {:>23} {:>11}{}\n", images,
                  draws, "p", "L_LD", "g", "g < 0", has_class_difference ? "  wrong class - own class" : "");
  for (const PremiseRow& row : rows) {
    text += fmt::format("{:>6.2f} {:>9.4f} +- {:.4f} {:>+11.2e} +- {:.1e} {:>9.1f} %", row.p, row.loss.mean,
                        row.loss.standard_error, row.g.mean, row.g.standard_error, 100 * row.negative_share);
    if (has_class_difference) {
      text += fmt::format(" {:>+13.5f} +- {:.5f}", row.class_difference.mean, row.class_difference.standard_error);
    }
    text += "\n";
  }
  const std::string line = warning();
  return text + (line.empty() ? fmt::format("g < 0 for {:.0f} % over all p: this LDM raises confidence\n",
                                            100 * negative_share())
                              : line + "\n");
}

nlohmann::json PremiseResult::to_json() const {
  nlohmann::json list = nlohmann::json::array();
  const auto pair = [](const MeanAndError& value) {
    return nlohmann::json{{"mean", value.mean}, {"standard_error", value.standard_error}};
  };
  for (const PremiseRow& row : rows) {
    nlohmann::json entry = {{"p", row.p},
                            {"loss", pair(row.loss)},
                            {"g", pair(row.g)},
                            {"mean_abs_g", row.mean_abs_g},
                            {"negative_share", row.negative_share}};
    if (has_class_difference) entry["class_difference"] = pair(row.class_difference);
    list.push_back(entry);
  }
  return {{"rows", list}, {"images", images}, {"draws", draws}, {"negative_share", negative_share()}};
}

}  // namespace domainfusion
