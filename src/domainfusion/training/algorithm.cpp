#include "domainfusion/training/algorithm.h"

#include <torch/types.h>

#include <cmath>

#include "domainfusion/distributed/gradient_buckets.h"
#include "domainfusion/distributed/row_share.h"
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

// Figures of a step's parts on the ranks, added up: whatever this rank gave to `value` and `record`.
void sum_figures(Ranks& ranks, double& value, StepRecord& record) {
  std::vector<double> figures{value, static_cast<double>(record.fit.images), static_cast<double>(record.fit.correct),
                              record.fit.loss};
  for (const auto& [name, scalar] : record.scalars) figures.push_back(scalar);
  const at::Tensor sums = torch::tensor(figures, torch::kFloat64);
  ranks.sum(sums);
  const auto* sum = sums.data_ptr<double>();
  value = sum[0];
  record.fit = {static_cast<std::int64_t>(sum[1]), static_cast<std::int64_t>(sum[2]), sum[3]};
  sum += 4;
  for (auto& [name, scalar] : record.scalars) scalar = *sum++;
}

std::int64_t rows_of_all(Ranks* ranks, std::int64_t own) {
  if (ranks == nullptr) return own;
  const at::Tensor rows = torch::tensor({own}, torch::kInt64);
  ranks->sum(rows);
  return rows.item<std::int64_t>();
}

}  // namespace

Algorithm::Algorithm() = default;

Algorithm::~Algorithm() = default;

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
  (share == 1 ? total : total * share).backward();
  return value;
}

// Shares are of the whole batch, wherever its rows lie.
double Algorithm::accumulate_gradients(std::int64_t step, const Batch& raw, Ranks* ranks, StepRecord& record) {
  const std::int64_t parts = context_->config.optimizer.accumulation_steps;
  const auto all = static_cast<double>(rows_of_all(ranks, raw.size()));
  double value = 0;
  for (std::int64_t first = 0; first < parts; ++first) {
    const Batch part = parts == 1 ? raw : part_of(raw, first, parts);
    const double share = static_cast<double>(part.size()) / all;
    StepRecord part_record{step, {}};
    if (buckets_ && first == parts - 1) buckets_->begin();
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
  Ranks* const ranks = splits_batches() ? current_ranks() : nullptr;
  const SharedRowsScope rows(ranks);
  if (ranks != nullptr && !buckets_) buckets_ = std::make_unique<GradientBuckets>(optimizer.parameters(), *ranks);
  optimizer.zero_grad();
  double value = accumulate_gradients(step, raw, ranks, record);
  if (ranks != nullptr) {
    buckets_->finish();
    sum_figures(*ranks, value, record);
  }
  check(std::isfinite(value), "the loss at step {} is {}: training has diverged (learning rate {}); {}", step, value,
        optimizer.lr(), kAfterDivergence);
  record.scalars["loss"] = value;
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
