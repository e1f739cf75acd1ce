#pragma once
// How a round makes one new image of x and its usable candidates (augmentation.combine). DomainFusion's own way is
// selection.h with Decomposition::fused; beside it stand, for comparison, what the methods that DomainFusion is held
// against would do with the same candidates:
//   none      one candidate, drawn from the seed, is the new image as it is.
//   mixstyle  x with its channel statistics mixed with those of a drawn candidate (mix_statistics),
//             lambda ~ Beta(alpha, alpha).
//   efdmix    the same by matching ranks (match_distribution).
//   mode      x's content with a mixture of the styles of x and all candidates, whose weights a search moves to where a
//             classifier loses most (style_search.h). This makes the new images depend on a classifier; it is a fixed
//             one, trained before, whose weights are part of the synthetic set's identity.
// mixstyle and efdmix work in the decomposition's space: pixels for fourier, latents for adain.

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "domainfusion/augmentation/styles/style_content.h"
#include "domainfusion/augmentation/styles/style_search.h"
#include "domainfusion/core/random/random.h"

namespace domainfusion {

enum class CombineRule { kDomainFusion, kMode, kMixStyle, kEfdMix, kNone };

struct CombinationConfig {
  CombineRule rule = CombineRule::kDomainFusion;
  double mix_alpha = 0.1;
  StyleSearchConfig search;

  void describe(ConfigFields& fields);
  // Takes those of these options that decide nothing out of a synthetic set's `options`; so sets from before there was
  // a choice keep their identity.
  void forget_unused(nlohmann::json& options) const;
};

// The fixed classifier of "mode"; logits empty: there is none.
struct StyleJudge {
  std::function<at::Tensor(const at::Tensor& image01_N3SS)>
      logits;                // [N, K] of float32 images in [0, 1]; differentiable
  std::string weights_hash;  // and what else decides its answers
};

struct Combined {
  at::Tensor values;                      // [1, C, H, W], in the decomposition's space
  std::int64_t style = -1, content = -1;  // which candidate's they are; -1: those of x, or of several
  std::optional<double> own_share;        // mixstyle, efdmix: lambda
  std::vector<double> style_weights;      // mode: normalised, of x, then of each candidate
};

// What a rule works on: x_values [1, C, H, W] and candidate_values [n, C, H, W], n >= 1, both in the decomposition's
// space.
struct CombinationInput {
  const Decomposition& decomposition;
  at::Tensor x_values, candidate_values;
  std::int64_t label = 0;
  // Float32 images [N, 3, S, S] in [0, 1] of such values, differentiable.
  std::function<at::Tensor(const at::Tensor& values)> image01_of;
};

// By any rule but DomainFusion's; all draws come from `stream`. ConfigError: "mode" without a judge.
Combined combined_by_rule(const CombinationConfig& config, const CombinationInput& input, const StyleJudge& judge,
                          RandomStream stream);

}  // namespace domainfusion
