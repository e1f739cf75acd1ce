#include "domainfusion/training/algorithm.h"

#include <torch/types.h>

#include <cmath>

#include "domainfusion/distributed/gradient_buckets.h"
#include "domainfusion/distributed/row_share.h"
#include "domainfusion/nn/autocast.h"
#include "domainfusion/nn/weights_scope.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/records/checkpoint.h"

namespace domainfusion {

at::Tensor classification_loss(const at::Tensor& logits_NK, const at::Tensor& label_N) {
  return torch::cross_entropy_loss(logits_NK, label_N);
}

void add_networks(Algorithm& algorithm, Classifier& classifier, const NetworkRequest& request) {
  const auto beside = std::make_shared<torch::nn::Module>();
  algorithm.add_networks(*beside, request);
  if (!beside->children().empty()) classifier->register_module(kBesideClassifier, beside);
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

at::Tensor Algorithm::features(const at::Tensor& image_NCHW) {
  const Autocast autocast(context_->precision);
  return context_->classifier->features(image_NCHW).to(torch::kFloat32);
}

at::Tensor Algorithm::classify(const at::Tensor& feature_NF) {
  const Autocast autocast(context_->precision);
  return context_->classifier->classify(feature_NF).to(torch::kFloat32);
}

at::Tensor Algorithm::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  return raw_loss(logits(raw.image_NCHW), raw, record);
}

at::Tensor Algorithm::source_rows(const Batch& raw) const {
  if (!context_->source_in) return torch::ones({raw.size()}, torch::kBool);
  return raw.domain_N < context_->source_in->number_of_domains();
}

at::Tensor Algorithm::raw_loss(const at::Tensor& logits_NK, const Batch& raw, StepRecord& record) const {
  count_fit(logits_NK, raw, record);
  return classification_loss(logits_NK, raw.label_N);
}

void Algorithm::count_fit(const at::Tensor& logits_NK, const Batch& raw, StepRecord& record) const {
  const at::Tensor detached = logits_NK.detach(), source = source_rows(raw).to(logits_NK.device());
  const at::Tensor correct = detached.argmax(1).eq(raw.label_N).logical_and(source);
  const at::Tensor loss_N = torch::cross_entropy_loss(detached, raw.label_N, {}, at::Reduction::None);
  // Together, since a value that is taken off a GPU waits for it.
  const at::Tensor counts = torch::stack({source.sum().to(torch::kFloat64), correct.sum().to(torch::kFloat64),
                                          loss_N.masked_select(source).sum(torch::kFloat64)})
                                .cpu();
  const auto* value = counts.data_ptr<double>();
  record.fit += {static_cast<std::int64_t>(value[0]), static_cast<std::int64_t>(value[1]), value[2]};
}

void Algorithm::check_loss(std::int64_t step, double loss) const {
  check(std::isfinite(loss), "the loss at step {} is {}: training has diverged (learning rate {}); {}", step, loss,
        context_->optimizer->lr(), kAfterDivergence);
}

double Algorithm::add_gradients_of(std::int64_t step, const Batch& part, double share, StepRecord& record) {
  const at::Tensor total = loss(step, part, record);
  const auto value = total.item<double>();
  (share == 1 ? total : total * share).backward();
  return value;
}

// Shares are of the whole batch, wherever its rows lie.
double Algorithm::add_gradients(std::int64_t step, const Batch& raw, StepRecord& record) {
  Ranks* const ranks = sharing_ranks(*this, context_->config);
  const std::int64_t parts = context_->config.optimizer.accumulation_steps;
  const auto all = static_cast<double>(rows_of_all(ranks, raw.size()));
  double value = 0;
  for (std::int64_t first = 0; first < parts; ++first) {
    const Batch part = parts == 1 ? raw : part_of(raw, first, parts);
    const double share = static_cast<double>(part.size()) / all;
    StepRecord part_record{step, {}};
    if (buckets_ && first == parts - 1) buckets_->begin();
    value += share * add_gradients_of(step, part, share, part_record);
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

// Where the loss is higher: at w + rho g / |g| (SAM; Foret et al., ICLR 2021), or at w + rho g / |g| - alpha g, whose
// gradient is added to that at w (SAGM; Wang et al., CVPR 2023, eq. 8). Batch norm's statistics are those of the first
// look.
void Algorithm::look_again(std::int64_t step, const Batch& raw) {
  const OptimizerConfig& config = context_->config.optimizer;
  const WeightsScope weights(*context_->classifier);
  std::vector<at::Tensor> parameters = context_->classifier->parameters(), own;
  for (const at::Tensor& parameter : parameters) own.push_back(parameter.grad());
  {
    const torch::NoGradGuard no_grad;
    double squares = 0;
    for (const at::Tensor& gradient : own) {
      if (gradient.defined()) squares += gradient.square().sum(torch::kFloat64).item<double>();
    }
    const double alpha = config.sharpness == Sharpness::kSagm ? config.sharpness_alpha : 0;
    const double length = config.sharpness_rho / (std::sqrt(squares) + 1e-12) - alpha;
    for (std::size_t i = 0; i < own.size(); ++i) {
      if (own[i].defined()) parameters[i].add_(own[i], length);
    }
  }
  context_->optimizer->zero_grad();
  StepRecord unused{step, {}};
  second_look_ = true;
  add_gradients(step, raw, unused);
  second_look_ = false;
  if (config.sharpness != Sharpness::kSagm) return;
  for (std::size_t i = 0; i < own.size(); ++i) {
    at::Tensor& gradient = parameters[i].mutable_grad();
    if (own[i].defined()) gradient = gradient.defined() ? gradient + own[i] : own[i];
  }
}

Ranks* sharing_ranks(const Algorithm& algorithm, const TrainingConfig& config) {
  const bool looks_twice = config.optimizer.sharpness != Sharpness::kNone;
  return algorithm.splits_batches() && !looks_twice ? current_ranks() : nullptr;
}

StepRecord Algorithm::update(std::int64_t step, const Batch& raw) {
  StepRecord record{step, {}};
  Optimizer& optimizer = *context_->optimizer;
  Ranks* const ranks = sharing_ranks(*this, context_->config);
  const SharedRowsScope rows(ranks);
  if (ranks != nullptr && !buckets_) buckets_ = std::make_unique<GradientBuckets>(optimizer.parameters(), *ranks);
  optimizer.zero_grad();
  double value = add_gradients(step, raw, record);
  if (ranks != nullptr) {
    buckets_->finish();
    sum_figures(*ranks, value, record);
  }
  check_loss(step, value);
  record.scalars["loss"] = value;
  if (context_->config.optimizer.sharpness != Sharpness::kNone) look_again(step, raw);
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
