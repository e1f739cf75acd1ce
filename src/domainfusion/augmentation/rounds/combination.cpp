#include "domainfusion/augmentation/rounds/combination.h"

#include <ATen/ATen.h>

#include "domainfusion/augmentation/styles/style_mixing.h"
#include "domainfusion/core/random/beta_draw.h"

namespace domainfusion {
namespace {

at::Tensor in_range(const Decomposition& decomposition, const at::Tensor& values) {
  return decomposition.space() == Decomposition::Space::kPixels ? values.clamp(0, 1) : values;
}

std::int64_t drawn_candidate(const CombinationInput& input, RandomStream& stream) {
  return static_cast<std::int64_t>(stream.below(static_cast<std::uint64_t>(input.candidate_values.size(0))));
}

Combined candidate_as_it_is(const CombinationInput& input, RandomStream stream) {
  const std::int64_t drawn = drawn_candidate(input, stream);
  return {input.candidate_values.narrow(0, drawn, 1), drawn, drawn, std::nullopt, {}};
}

using Mix = at::Tensor (*)(const at::Tensor& x, const at::Tensor& style, const at::Tensor& own_share_N);

Combined mixed_with_one(const CombinationInput& input, double alpha, Mix mix, RandomStream stream) {
  const std::int64_t drawn = drawn_candidate(input, stream);
  const double own = draw_beta(stream, alpha, alpha);
  const at::Tensor style = input.candidate_values.narrow(0, drawn, 1);
  const at::Tensor values = mix(input.x_values, style, at::full({1}, own, input.x_values.options()));
  return {in_range(input.decomposition, values), drawn, -1, own, {}};
}

at::Tensor by_statistics(const at::Tensor& x, const at::Tensor& style, const at::Tensor& own_share_N) {
  return mix_statistics(x, style, own_share_N);
}

Combined styles_of_search(const CombinationInput& input, const StyleSearchConfig& config, const StyleJudge& judge) {
  const StyleContent x = input.decomposition.decompose(input.x_values);
  const at::Tensor styles = at::cat({x.style, input.decomposition.decompose(input.candidate_values).style});
  const std::int64_t count = styles.size(0);
  const at::Tensor every = at::arange(count, at::TensorOptions(at::kLong).device(styles.device())).unsqueeze(0);
  const auto values_of = [&](const at::Tensor& weight_1K) {
    return input.decomposition.fused(x, {mixed_styles(styles, every, weight_1K), x.content}, x);
  };
  const auto loss = [&](const at::Tensor& weight_1K) {
    const at::Tensor logits = judge.logits(input.image01_of(values_of(weight_1K)));
    return at::cross_entropy_loss(logits,
                                  at::full({1}, input.label, at::TensorOptions(at::kLong).device(logits.device())));
  };
  const StyleSearch search = search_style_weights(1, count, styles.options(), config, loss);
  const at::Tensor weight = normalised_style_weights(search.a_NK), row = weight.flatten().to(at::kCPU, at::kDouble);
  return {values_of(weight), -1, -1, std::nullopt, {row.data_ptr<double>(), row.data_ptr<double>() + count}};
}

}  // namespace

void CombinationConfig::describe(ConfigFields& fields) {
  fields.choice(
      "combine", rule,
      {{"domainfusion", CombineRule::kDomainFusion},
       {"mode", CombineRule::kMode},
       {"mixstyle", CombineRule::kMixStyle},
       {"efdmix", CombineRule::kEfdMix},
       {"none", CombineRule::kNone}},
      "how a new image is made of x and its candidates; domainfusion: the style most unlike, the content most like "
      "x's; none: a drawn candidate as it is; mode: needs domainfusion.fidelity_weights");
  fields.real("mix_alpha", mix_alpha, {1e-3, 1e3},
              "combine = mixstyle, efdmix: the share of x's own style is drawn from Beta(alpha, alpha)");
  search.describe(fields);
}

void CombinationConfig::forget_unused(nlohmann::json& options) const {
  if (rule == CombineRule::kDomainFusion) options.erase("combine");
  if (rule != CombineRule::kMixStyle && rule != CombineRule::kEfdMix) options.erase("mix_alpha");
  if (rule == CombineRule::kMode) return;
  options.erase("move_steps");
  options.erase("move_rate");
}

Combined combined_by_rule(const CombinationConfig& config, const CombinationInput& input, const StyleJudge& judge,
                          RandomStream stream) {
  switch (config.rule) {
    case CombineRule::kNone:
      return candidate_as_it_is(input, std::move(stream));
    case CombineRule::kMixStyle:
      return mixed_with_one(input, config.mix_alpha, &by_statistics, std::move(stream));
    case CombineRule::kEfdMix:
      return mixed_with_one(input, config.mix_alpha, &match_distribution, std::move(stream));
    case CombineRule::kMode:
      return styles_of_search(input, config.search, judge);
    default:
      throw Error("DomainFusion's own rule is the selection of candidates");
  }
}

}  // namespace domainfusion
