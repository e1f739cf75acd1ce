#pragma once
// What MixStyle and EFDMix share: inside a residual network, while it trains, an image's feature maps take part of the
// style of another image's. How, is the child's formula; where and with whom, is here.

#include <optional>
#include <vector>

#include "domainfusion/classifiers/backbones/resnet.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/training/algorithm.h"

namespace domainfusion {

// Whose style an image takes: "random": a random permutation of the batch; "crossdomain": a random image of the batch
// from another domain.
enum class MixPartner { kRandom, kCrossDomain };

struct FeatureMixingConfig {
  std::vector<std::int64_t> layers{1, 2};
  double p = 0.5;
  double alpha = 0.1;
  MixPartner mix = MixPartner::kRandom;
  void describe(ConfigFields& fields);
};

struct FeatureMix {
  at::Tensor partner_N;    // int64, CPU: image i takes its style from image partner_N[i]
  at::Tensor own_share_N;  // float32, CPU: lambda ~ Beta(alpha, alpha), the share of its own style
};

// What a layer does in one forward: nothing with probability 1 - p. All draws come from `stream`; domain_N: int64, CPU,
// read by "crossdomain" alone. ConfigError if that finds one domain only.
std::optional<FeatureMix> draw_feature_mix(const FeatureMixingConfig& config, const at::Tensor& domain_N,
                                           RandomStream stream);

// Differs from the released code in "crossdomain": there the batch is two halves of two domains which swap places; here
// domains are told by the batch's ids, so any number of them and any order is right.
class FeatureMixing : public Algorithm {
 public:
  void describe(ConfigFields& fields) override { fields.group(name_, config_); }
  // ConfigError if the backbone is not a residual network, and for a layer whose maps are 1 x 1.
  void prepare(TrainingContext& context) override;
  bool loss_is_mean_over_images() const override {
    return false;
  }  // a part of a batch has other partners than the whole

  // Ranks exchange the maps of the stages that are mixed, and what gradients these have.
  bool splits_batches() const override { return true; }

 protected:
  // `name` names the group of options and the draws.
  explicit FeatureMixing(std::string name) : name_(std::move(name)) {}
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;
  // The maps x_NCHW, float32, with part of the style of style_NCHW; own_share_N on their device.
  virtual at::Tensor mixed(const at::Tensor& x_NCHW, const at::Tensor& style_NCHW,
                           const at::Tensor& own_share_N) const = 0;

 private:
  void check_maps(std::int64_t image_size_px) const;
  at::Tensor transformed(std::int64_t step, int stage, const at::Tensor& x_NCHW, const at::Tensor& domain_N) const;

  std::string name_;
  FeatureMixingConfig config_;
  Resnet* network_ = nullptr;  // the classifier's
};

}  // namespace domainfusion
