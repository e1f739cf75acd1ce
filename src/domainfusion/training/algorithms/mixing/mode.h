#pragma once
// What MODE-F and MODE-A share (MODE: Dai et al., Moderately Distributional Exploration for Domain Generalization, ICML
// 2023). Each image x gets a variant x~ with its own content and a mixture of K styles, whose weights a search moves to
// where the classifier, in eval mode, loses most (augmentation/style_search.h); then one pass on [x, x~] in train mode:
//   L = (1 - beta) CE(f(x), y) + beta CE(f(x~), y).
// How an image is split into style and content is the child's.

#include "domainfusion/augmentation/styles/style_content.h"
#include "domainfusion/augmentation/styles/style_search.h"
#include "domainfusion/core/random/random.h"
#include "domainfusion/training/algorithm.h"

namespace domainfusion {

struct ModeConfig {
  std::int64_t num_mix = 4;  // K, the image's own style included
  double gamma = 1;          // share of the mixture in x~'s style
  double beta = 0.4;
  StyleSearchConfig search;
  void describe(ConfigFields& fields);
};

// int64 [N, K], CPU: column 0 the image itself, the others drawn from the batch with replacement.
at::Tensor random_styles(std::int64_t images, std::int64_t num_mix, RandomStream stream);
// K = sources + 1: column d + 1 a random image of source domain d, or any image where the batch has none of it; with
// another K as above. domain_N: int64, CPU.
at::Tensor styles_of_each_domain(const at::Tensor& domain_N, std::int64_t sources, std::int64_t num_mix,
                                 RandomStream stream);

class Mode : public Algorithm {
 public:
  void describe(ConfigFields& fields) override { fields.group("mode", config_); }
  PlannedWork planned_work(const WorkSizes& sizes) const override;
  bool loss_is_mean_over_images() const override { return false; }  // styles come from the whole batch
  bool splits_batches() const override { return true; }             // whose styles ranks exchange

 protected:
  // `name` names the draws.
  explicit Mode(std::string name) : name_(std::move(name)) {}
  at::Tensor loss(std::int64_t step, const Batch& raw, StepRecord& record) override;
  const ModeConfig& config() const { return config_; }

  // Of normalised images, without gradient.
  virtual StyleContent split(const at::Tensor& image_NCHW) const = 0;
  // The normalised images of these contents and styles, of the size of those that were split; differentiable in the
  // style.
  virtual at::Tensor joined(const StyleContent& parts) const = 0;
  // Which images' styles are mixed: [N, K] as above.
  virtual at::Tensor style_index(const Batch& raw, RandomStream stream) const = 0;

 private:
  at::Tensor styled_images(std::int64_t step, const Batch& raw, StepRecord& record);

  std::string name_;
  ModeConfig config_;
};

}  // namespace domainfusion
