#include "domainfusion/training/algorithm.h"

#include <torch/types.h>

#include <cmath>

#include "domainfusion/nn/autocast.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/records/checkpoint.h"

namespace domainfusion {

at::Tensor classification_loss(const at::Tensor& logits_NK, const at::Tensor& label_N) {
  return torch::cross_entropy_loss(logits_NK, label_N);
}

namespace {

// Every `parts`th image from `first` on: of a batch that holds one domain after the other, a share of each.
Batch part_of(const Batch& batch, std::int64_t first, std::int64_t parts) {
  const auto take = [&](const at::Tensor& rows) { return rows.slice(0, first, rows.size(0), parts); };
  return {take(batch.image_NCHW).contiguous(), take(batch.label_N), take(batch.domain_N), take(batch.index_N)};
}

}  // namespace

at::Tensor Algorithm::logits(const at::Tensor& image_NCHW) {
  const Autocast autocast(context_->precision);
  return context_->classifier->forward(image_NCHW).to(torch::kFloat32);
}

at::Tensor Algorithm::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  return raw_loss(logits(raw.image_NCHW), raw, record);
}

at::Tensor Algorithm::source_rows(const Batch& raw) const { return torch::ones({raw.size()}, torch::kBool); }

at::Tensor Algorithm::raw_loss(const at::Tensor& logits_NK, const Batch& raw, StepRecord& record) const {
  const at::Tensor mean = classification_loss(logits_NK, raw.label_N);
  const at::Tensor detached = logits_NK.detach(), source = source_rows(raw).to(logits_NK.device());
  const at::Tensor correct = detached.argmax(1).eq(raw.label_N).logical_and(source);
  const at::Tensor loss_N = torch::cross_entropy_loss(detached, raw.label_N, {}, at::Reduction::None);
  // Together, since a value that is taken off a GPU waits for it.
  const at::Tensor counts = torch::stack({source.sum().to(torch::kFloat64), correct.sum().to(torch::kFloat64),
                                          loss_N.masked_select(source).sum(torch::kFloat64)})
                                .cpu();
  const auto* value = counts.data_ptr<double>();
  record.fit += {static_cast<std::int64_t>(value[0]), static_cast<std::int64_t>(value[1]), value[2]};
  return mean;
}

double Algorithm::add_gradients(std::int64_t step, const Batch& part, double share, StepRecord& record) {
  const at::Tensor total = loss(step, part, record);
  const auto value = total.item<double>();
  check(std::isfinite(value), "the loss at step {} is {}: training has diverged (learning rate {}); {}", step, value,
        context_->optimizer->lr(), kAfterDivergence);
  (share == 1 ? total : total * share).backward();
  return value;
}

double Algorithm::accumulate_gradients(std::int64_t step, const Batch& raw, StepRecord& record) {
  const std::int64_t parts = context_->config.optimizer.accumulation_steps;
  if (parts == 1) return add_gradients(step, raw, 1, record);
  double value = 0;
  for (std::int64_t first = 0; first < parts; ++first) {
    const Batch part = part_of(raw, first, parts);
    const double share = static_cast<double>(part.size()) / static_cast<double>(raw.size());
    StepRecord part_record{step, {}};
    value += share * add_gradients(step, part, share, part_record);
    for (const auto& [name, scalar] : part_record.scalars) record.scalars[name] += share * scalar;
    record.fit += part_record.fit;
  }
  return value;
}

WorkSizes TrainingContext::work_sizes(nlohmann::json scheduler) const {
  const DomainDataset& set = *source_in;
  WorkSizes sizes{0,
                  set.number_of_domains(),
                  set.number_of_classes(),
                  total_steps,
                  steps_per_epoch,
                  config.loader.batch_size,
                  std::move(scheduler),
                  device,
                  target_guard(set, *holdout, config)};
  for (std::int64_t domain = 0; domain < sizes.sources; ++domain) sizes.in_images += set.size(domain);
  return sizes;
}

StepRecord Algorithm::update(std::int64_t step, const Batch& raw) {
  StepRecord record{step, {}};
  Optimizer& optimizer = *context_->optimizer;
  optimizer.zero_grad();
  record.scalars["loss"] = accumulate_gradients(step, raw, record);
  if (const double max_norm = context_->config.optimizer.clip_grad_norm; max_norm > 0) {
    const double norm = optimizer.clip_grad_norm(max_norm);
    check(std::isfinite(norm),
          "the norm of the gradient at step {} is {}: training has diverged (learning rate {}); {}", step, norm,
          optimizer.lr(), kAfterDivergence);
    record.scalars["grad_norm"] = norm;
  }
  optimizer.step();
  return record;
}

}  // namespace domainfusion
