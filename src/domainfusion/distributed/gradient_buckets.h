#pragma once
// The sum of gradients over ranks, taken while backward still runs.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "domainfusion/distributed/ranks.h"

namespace domainfusion {

// Gradients are ready about in the reverse order of the parameters: so they are put, from the last parameter on, into
// buckets, each of which is summed once its last gradient is there. (Li et al., PyTorch Distributed: Experiences on
// Accelerating Data Parallel Training, VLDB 2020.)
class GradientBuckets {
 public:
  static constexpr std::int64_t kBucketBytes = 25 << 20;

  // parameters: float32 leaves, in the same order on all ranks. Both outlive the object.
  GradientBuckets(const std::vector<at::Tensor>& parameters, Ranks& ranks, std::int64_t bucket_bytes = kBucketBytes);
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  // The next backward() is the last one that adds to the gradients.
  void begin();
  // Behind it: every gradient is the sum over all ranks; those that no rank has stay undefined. Parameters without a
  // gradient are the same ones on all ranks.
  void finish();

 private:
  struct Bucket;
  void add(std::size_t parameter);
  void send_ready();

  std::vector<at::Tensor> parameters_;
  Ranks& ranks_;
  std::vector<Bucket> buckets_;
  std::vector<std::size_t> bucket_of_;
  std::vector<bool> is_ready_;
  std::size_t sent_ = 0;  // buckets, in order
  bool active_ = false;
  struct Hooks;
  std::unique_ptr<Hooks> hooks_;
};

}  // namespace domainfusion
