#include "domainfusion/distributed/gradient_buckets.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/utils/lambda_post_hook.h>
#include <torch/csrc/autograd/variable.h>

#include <algorithm>

namespace domainfusion {

struct GradientBuckets::Bucket {
  std::vector<std::size_t> parameters;
  std::size_t waiting = 0;  // for so many gradients
  at::Tensor values;        // of those that are there, one behind the other
  std::vector<std::size_t> in_values;
  std::function<void()> wait;
};

// A variable holds its accumulator weakly: without an owner it would be made anew for each pass, without our hook.
struct GradientBuckets::Hooks {
  std::vector<std::pair<std::shared_ptr<torch::autograd::Node>, std::uintptr_t>> nodes;
};

GradientBuckets::GradientBuckets(const std::vector<at::Tensor>& parameters, Ranks& ranks, std::int64_t bucket_bytes)
    : parameters_(parameters),
      ranks_(ranks),
      bucket_of_(parameters.size()),
      is_ready_(parameters.size()),
      hooks_(std::make_unique<Hooks>()) {
  std::int64_t bytes = 0;
  for (std::size_t i = parameters_.size(); i-- > 0;) {
    if (buckets_.empty() || bytes >= bucket_bytes) {
      buckets_.emplace_back();
      bytes = 0;
    }
    buckets_.back().parameters.push_back(i);
    bucket_of_[i] = buckets_.size() - 1;
    bytes += static_cast<std::int64_t>(parameters_[i].nbytes());
  }
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    if (!parameters_[i].requires_grad()) continue;
    const auto node = torch::autograd::impl::grad_accumulator(parameters_[i]);
    const auto key = node->add_post_hook(std::make_unique<torch::autograd::utils::LambdaPostHook>(
        [this, i](const torch::autograd::variable_list& outputs, const torch::autograd::variable_list&) {
          add(i);
          return outputs;
        }));
    hooks_->nodes.emplace_back(node, key);
  }
}

GradientBuckets::~GradientBuckets() {
  for (const auto& [node, key] : hooks_->nodes) node->del_post_hook(key);
}

void GradientBuckets::begin() {
  for (Bucket& bucket : buckets_) bucket = {bucket.parameters, bucket.parameters.size(), {}, {}, {}};
  is_ready_.assign(parameters_.size(), false);
  sent_ = 0;
  active_ = true;
}

void GradientBuckets::add(std::size_t parameter) {
  if (!active_ || is_ready_[parameter]) return;
  is_ready_[parameter] = true;
  --buckets_[bucket_of_[parameter]].waiting;
  while (sent_ < buckets_.size() && buckets_[sent_].waiting == 0) send_ready();
}

// The next bucket, with the gradients that are there: all ranks send the same buckets in the same order.
void GradientBuckets::send_ready() {
  const c10::NoGradGuard no_grad;
  Bucket& bucket = buckets_[sent_++];
  std::vector<at::Tensor> flat;
  for (const std::size_t i : bucket.parameters) {
    if (!parameters_[i].grad().defined()) continue;
    bucket.in_values.push_back(i);
    flat.push_back(parameters_[i].grad().reshape({-1}));
  }
  if (flat.empty()) return;
  bucket.values = at::cat(flat);
  bucket.wait = ranks_.sum_later(bucket.values);
}

void GradientBuckets::finish() {
  const c10::NoGradGuard no_grad;
  while (sent_ < buckets_.size()) send_ready();
  active_ = false;
  for (Bucket& bucket : buckets_) {
    if (!bucket.wait) continue;
    bucket.wait();
    std::int64_t begin = 0;
    for (const std::size_t i : bucket.in_values) {
      const at::Tensor gradient = parameters_[i].grad();
      gradient.copy_(bucket.values.narrow(0, begin, gradient.numel()).view_as(gradient));
      begin += gradient.numel();
    }
    bucket.values = at::Tensor();
  }
}

}  // namespace domainfusion
