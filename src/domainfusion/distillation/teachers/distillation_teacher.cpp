#include "domainfusion/distillation/teachers/distillation_teacher.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/core/error.h"
#include "domainfusion/core/random/random.h"

namespace domainfusion {
namespace {

DistillationConfig validated(DistillationConfig config, const LdmFunctions& teacher) {
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
  check<ShapeError>(
      n > 0 && batch.label_N.numel() == n && batch.domain_N.numel() == n && batch.index_N.numel() == n,
      "a distillation batch has logits of shape [{}], {} labels, {} domains and {} indices: expected [N, K], N, "
      "N, N with N >= 1",
      fmt::join(batch.logits_NK.sizes(), ", "), batch.label_N.numel(), batch.domain_N.numel(), batch.index_N.numel());
  check<ShapeError>(!augmented || (batch.view01_N3HW.defined() && batch.view01_N3HW.size(0) == n),
                    "view = augmented needs the classifier's view of each of the {} images of the batch", n);
}

}  // namespace

DistillationTeacher::DistillationTeacher(DistillationConfig config, LdmFunctions ldm,
                                         const std::vector<std::string>& class_names, ImageSource plain_image,
                                         std::uint64_t seed)
    : config_(validated(std::move(config), ldm)),
      ldm_(std::move(ldm)),
      conditions_(ldm_, config_, class_names),
      plain_image_(std::move(plain_image)),
      seed_(seed) {}

double DistillationTeacher::fraction() const {
  if (config_.fraction > 0) return config_.fraction;
  return ldm_.device.is_cpu() ? 0.25 : 1;
}

std::vector<std::int64_t> DistillationTeacher::drawn_rows(std::int64_t size, std::int64_t step) const {
  const auto drawn = std::max<std::int64_t>(1, std::llround(fraction() * static_cast<double>(size)));
  auto rows = RandomStream(seed_, "distillation rows", {static_cast<std::uint64_t>(step)}).permutation(size);
  rows.resize(static_cast<std::size_t>(std::min(drawn, size)));
  std::sort(rows.begin(), rows.end());
  return rows;
}

at::Tensor DistillationTeacher::Drawn::confidence() const {
  return logits_NK.softmax(1).gather(1, label_N.unsqueeze(1)).squeeze(1);
}

DistillationTeacher::Drawn DistillationTeacher::draw(const DistillationBatch& batch, std::int64_t step) const {
  const bool augmented = config_.view == DistillationView::kAugmented;
  check_batch(batch, augmented);
  const at::Tensor rows = torch::tensor(drawn_rows(batch.logits_NK.size(0), step), torch::kInt64);
  const auto pick = [&](const at::Tensor& values) { return values.index_select(0, rows.to(values.device())); };
  Drawn drawn{pick(batch.logits_NK), pick(batch.label_N).to(batch.logits_NK.device()),
              keys_of(pick(batch.domain_N).to(torch::kCPU), pick(batch.index_N).to(torch::kCPU)),
              augmented ? pick(batch.view01_N3HW).detach() : at::Tensor()};
  check_finite("p", drawn.confidence().detach(), drawn.keys, step);
  return drawn;
}

at::Tensor DistillationTeacher::images(const Drawn& drawn, std::int64_t first, std::int64_t count) const {
  if (drawn.view01_N3HW.defined()) return drawn.view01_N3HW.narrow(0, first, count).to(ldm_.device);
  const std::vector<ImageKey> keys(drawn.keys.begin() + first, drawn.keys.begin() + first + count);
  return plain_images(plain_image_, keys, ldm_.image_size_px, ldm_.device);
}

void DistillationTeacher::check_finite(const char* what, const at::Tensor& values_N, const std::vector<ImageKey>& keys,
                                       std::int64_t step) {
  if (values_N.isfinite().all().item<bool>()) return;
  const at::Tensor values = values_N.to(torch::kCPU, torch::kFloat64);
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    const double value = values[i].item<double>();
    check(std::isfinite(value), "distillation step {}: {} of image {} of domain {} is {}; {}", step, what,
          keys[i].index, keys[i].domain, value,
          *what == 'p' ? "the classifier diverged: lower the learning rate, and use float32"
                       : "the frozen LDM gives no number: its weights are broken, or its type overflows (ldm_dtype = "
                         "float32)");
  }
}

}  // namespace domainfusion
