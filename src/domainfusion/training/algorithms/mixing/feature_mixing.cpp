#include "domainfusion/training/algorithms/mixing/feature_mixing.h"

#include <torch/types.h>

#include <algorithm>

#include "domainfusion/core/random/beta_draw.h"
#include "domainfusion/distributed/row_share.h"

namespace domainfusion {
namespace {

// Validation, test and whatever else sends images through the network must not meet the transform: it goes with the
// step.
class StageTransformScope {
 public:
  StageTransformScope(Resnet& network, StageTransform transform) : network_(network) {
    network_.set_stage_transform(std::move(transform));
  }
  ~StageTransformScope() { network_.set_stage_transform({}); }
  StageTransformScope(const StageTransformScope&) = delete;
  StageTransformScope& operator=(const StageTransformScope&) = delete;

 private:
  Resnet& network_;
};

std::vector<std::int64_t> images_of_other_domains(const std::vector<std::int64_t>& domains, std::int64_t domain) {
  std::vector<std::int64_t> others;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    if (domains[i] != domain) others.push_back(static_cast<std::int64_t>(i));
  }
  check<ConfigError>(!others.empty(),
                     "mix = crossdomain, but all {} images of the batch are of one domain: use mix = random, or more "
                     "source domains",
                     domains.size());
  return others;
}

std::vector<std::int64_t> partners(MixPartner mix, const at::Tensor& domain_N, RandomStream& stream) {
  if (mix == MixPartner::kRandom) return stream.permutation(domain_N.size(0));
  const at::Tensor ids = domain_N.to(torch::kLong).contiguous();
  const std::vector<std::int64_t> domains(ids.data_ptr<std::int64_t>(), ids.data_ptr<std::int64_t>() + ids.numel());
  std::vector<std::int64_t> chosen;
  for (const std::int64_t domain : domains) {
    const auto others = images_of_other_domains(domains, domain);
    chosen.push_back(others[stream.below(others.size())]);
  }
  return chosen;
}

}  // namespace

void FeatureMixingConfig::describe(ConfigFields& fields) {
  fields.integers("layers", layers, {1, 4}, "residual stages after which features are mixed");
  fields.real("p", p, {0, 1}, "probability that a layer mixes in a step");
  fields.real("alpha", alpha, {1e-3, 1e3}, "the share of an image's own style is drawn from Beta(alpha, alpha)");
  fields.choice("mix", mix, {{"random", MixPartner::kRandom}, {"crossdomain", MixPartner::kCrossDomain}},
                "whose style: of any image of the batch, or of one from another domain");
}

std::optional<FeatureMix> draw_feature_mix(const FeatureMixingConfig& config, const at::Tensor& domain_N,
                                           RandomStream stream) {
  if (stream.uniform() >= config.p) return std::nullopt;
  const std::vector<std::int64_t> partner = partners(config.mix, domain_N, stream);
  std::vector<double> own_share;
  for (std::size_t i = 0; i < partner.size(); ++i) own_share.push_back(draw_beta(stream, config.alpha, config.alpha));
  return FeatureMix{torch::tensor(partner, torch::kLong), torch::tensor(own_share, torch::kFloat32)};
}

void FeatureMixing::prepare(TrainingContext& context) {
  Algorithm::prepare(context);
  network_ = dynamic_cast<Resnet*>(&context.classifier->backbone());
  check<ConfigError>(
      network_ != nullptr,
      "the algorithm {} mixes feature maps between residual stages, which the backbone {} does not have: "
      "choose a ResNet with classifier.backbone",
      name_, context.config.classifier.backbone);
  check_maps(context.config.loader.image_size_px);
}

// A map of one value has no style, and MixStyle's formula no result.
void FeatureMixing::check_maps(std::int64_t image_size_px) const {
  const std::vector<std::int64_t> sides = network_->stage_sides(image_size_px);
  for (const std::int64_t layer : config_.layers) {
    check<ConfigError>(
        sides.at(static_cast<std::size_t>(layer - 1)) > 1,
        "{}.layers names stage {}, whose maps are 1 x 1 at loader.image_size_px = {}: one value has no style to mix. "
        "Name earlier stages, or raise the image's size",
        name_, layer, image_size_px);
  }
}

at::Tensor FeatureMixing::transformed(std::int64_t step, int stage, const at::Tensor& x_NCHW,
                                      const at::Tensor& domain_N) const {
  if (std::find(config_.layers.begin(), config_.layers.end(), stage) == config_.layers.end()) return x_NCHW;
  Ranks* const ranks = batch_ranks();
  auto mix =
      draw_feature_mix(config_, ranks != nullptr ? gathered_rows(domain_N, *ranks) : domain_N,
                       {context().seed, name_, {static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(stage)}});
  if (!mix) return x_NCHW;
  const at::Tensor x = x_NCHW.to(torch::kFloat32);  // sums over bfloat16 maps would lose their last digits
  const at::Tensor all = ranks != nullptr ? gathered_rows(x, *ranks) : x;
  if (ranks != nullptr) mix = FeatureMix{own_rows(mix->partner_N, *ranks), own_rows(mix->own_share_N, *ranks)};
  const at::Tensor style = all.index_select(0, mix->partner_N.to(x.device()));
  return mixed(x, style, mix->own_share_N.to(x.device())).to(x_NCHW.scalar_type());
}

at::Tensor FeatureMixing::loss(std::int64_t step, const Batch& raw, StepRecord& record) {
  const StageTransformScope scope(
      *network_, [&](int stage, const at::Tensor& x_NCHW) { return transformed(step, stage, x_NCHW, raw.domain_N); });
  return Algorithm::loss(step, raw, record);
}

}  // namespace domainfusion
