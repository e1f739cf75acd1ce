#include "domainfusion/distillation/teachers/diffusion_classifier.h"

#include <torch/types.h>
#include <torch/utils.h>

#include <algorithm>

namespace domainfusion {

std::int64_t DiffusionClassifier::scored() const {
  return std::min(static_cast<std::int64_t>(prompts().size()), config_.classifier.max_classes);
}

TeacherCost DiffusionClassifier::cost() const {
  const bool kept = config_.view == DistillationView::kPlain && config_.images == DistilledImages::kRaw;
  return {.unet_per_drawn = static_cast<double>(config_.classifier.draws * scored()),
          .encoder_per_drawn = kept ? 0.0 : 1.0,
          .encoder_per_image = kept ? 1.0 : 0.0};
}

at::Tensor DiffusionClassifier::scored_classes(const at::Tensor& logits_NK, const at::Tensor& label_N) const {
  // The label in front of all others, whatever its logit.
  const at::Tensor rank = logits_NK.scatter(1, label_N.unsqueeze(1), std::numeric_limits<double>::infinity());
  const at::Tensor order = std::get<1>(rank.sort(/*stable=*/true, 1, /*descending=*/true));
  return std::get<0>(order.narrow(1, 0, std::min(scored(), logits_NK.size(1))).sort(1));
}

// Rounds replace synthetic images and augmentation replaces views, so only raw images can be kept.
at::Tensor DiffusionClassifier::latents(const Drawn& drawn) {
  torch::NoGradGuard no_graph;
  const bool keep = cost().encoder_per_drawn == 0;
  std::vector<at::Tensor> rows;
  for (std::int64_t first = 0; !keep && first < drawn.size(); first += config_.images_per_pass) {
    rows.push_back(ldm_.encode(images(drawn, first, std::min(config_.images_per_pass, drawn.size() - first))).detach());
  }
  if (!keep) return torch::cat(rows);
  for (std::int64_t i = 0; i < drawn.size(); ++i) {
    const auto found = kept_.find(drawn.keys[i]);
    if (found != kept_.end()) {
      rows.push_back(found->second.to(ldm_.device));
      continue;
    }
    rows.push_back(ldm_.encode(images(drawn, i, 1)).detach());  // one by one: kept ones have the bits of any batch
    const auto bytes = static_cast<std::int64_t>(rows.back().nbytes());
    if (kept_bytes_ + bytes > config_.classifier.limit_mb << 20) continue;
    kept_[drawn.keys[i]] = rows.back().to(torch::kCPU);
    kept_bytes_ += bytes;
  }
  return torch::cat(rows);
}

at::Tensor DiffusionClassifier::squared_errors(const at::Tensor& z_t_NChw, const NoiseDraw& noise,
                                               const at::Tensor& classes_NS) const {
  const std::int64_t images = classes_NS.size(0), classes = classes_NS.size(1), rows = images * classes;
  const at::Tensor image = torch::arange(images, torch::kInt64).repeat_interleave(classes);
  const at::Tensor label = classes_NS.reshape({-1});
  const at::Tensor epsilon = noise.epsilon_NChw.to(z_t_NChw.device());
  std::vector<at::Tensor> errors;
  for (std::int64_t first = 0; first < rows; first += config_.images_per_pass) {
    const std::int64_t size = std::min(config_.images_per_pass, rows - first);
    const at::Tensor of = image.narrow(0, first, size), there = of.to(z_t_NChw.device());
    const at::Tensor epsilon_hat =
        ldm_.predict_epsilon(z_t_NChw.index_select(0, there), noise.t_N.index_select(0, of).to(z_t_NChw.device()),
                             conditions_.of(label.narrow(0, first, size)).prompt);
    const at::Tensor r = epsilon_hat.to(torch::kFloat32) - epsilon.index_select(0, there);
    errors.push_back(r.square().flatten(1).sum(1).to(torch::kCPU));
  }
  return torch::cat(errors).reshape({images, classes});
}

at::Tensor DiffusionClassifier::log_posterior(const at::Tensor& z_NChw, const at::Tensor& classes_NS,
                                              const std::vector<ImageKey>& keys, std::int64_t step) const {
  torch::NoGradGuard no_graph;
  const std::int64_t draws = config_.classifier.draws;
  at::Tensor error_NS = torch::zeros(classes_NS.sizes());
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    const NoiseDraw noise = draw_noise(seed_, "diffusion classifier", static_cast<std::uint64_t>(step * draws + draw),
                                       keys, config_.t_min, config_.t_max, z_NChw.sizes().slice(1));
    error_NS += squared_errors(noised(ldm_, z_NChw, noise), noise, classes_NS) / static_cast<double>(draws);
  }
  return (-error_NS / config_.classifier.temperature).log_softmax(1);
}

TeacherStep DiffusionClassifier::teach(const DistillationBatch& batch, std::int64_t step) {
  const Drawn drawn = draw(batch, step);
  const at::Tensor label = drawn.label_N.to(torch::kCPU);
  const at::Tensor classes = scored_classes(drawn.logits_NK.detach().to(torch::kCPU), label);
  const at::Tensor log_q = log_posterior(latents(drawn), classes, drawn.keys, step);
  check_finite("q", log_q.exp().sum(1), drawn.keys, step);

  const auto there = drawn.logits_NK.options();
  const at::Tensor log_p = drawn.logits_NK.gather(1, classes.to(there.device())).log_softmax(1);
  const at::Tensor q = log_q.exp();
  const at::Tensor divergence = (q.to(there) * (log_q.to(there) - log_p)).sum(1).mean();
  const double right =
      classes.gather(1, log_q.argmax(1, true)).squeeze(1).eq(label).to(torch::kFloat64).mean().item<double>();
  const at::Tensor loss = config_.classifier.weight * divergence;
  const double mean_p = drawn.confidence().mean().item<double>(), entropy = -(q * log_q).sum(1).mean().item<double>();
  return {loss,
          {{"images", drawn.size()},
           {"classes_scored", classes.size(1)},
           {"mean_p", mean_p},
           {"loss", loss.item<double>()},
           {"divergence", divergence.item<double>()},
           {"teacher_accuracy", right},
           {"teacher_entropy", entropy}},
          {{"loss_ld", loss.item<double>()}, {"mean_p", mean_p}, {"teacher_accuracy", right}}};
}

}  // namespace domainfusion
