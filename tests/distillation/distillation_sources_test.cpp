#include "domainfusion/distillation/distillation_sources.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/data/caches/shrunk_dataset.h"
#include "domainfusion/distillation/teachers/latent_distillation.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

// Two domains of three flat colours, 20 px.
class FlatColours final : public DomainDataset {
 public:
  explicit FlatColours(int brightness = 0) : brightness_(brightness) {
    for (std::int64_t domain = 0; domain < 2; ++domain) {
      for (std::int64_t i = 0; i < 3; ++i) infos_.push_back({fmt::format("{}/{}/x.png", domain, i), i, domain});
    }
  }
  const std::vector<std::string>& class_names() const override { return classes_; }
  const std::vector<std::string>& domain_names() const override { return domains_; }
  std::int64_t size(std::int64_t) const override { return 3; }
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override { return infos_[3 * domain + index]; }
  Image image(std::int64_t domain, std::int64_t index) const override {
    const auto level = static_cast<std::uint8_t>(brightness_ + 40 * (3 * domain + index));
    return {20, 20, std::vector<std::uint8_t>(20 * 20 * 3, level)};
  }

 private:
  int brightness_;
  std::vector<std::string> classes_ = {"a", "b", "c"}, domains_ = {"d", "e"};
  std::vector<SampleInfo> infos_;
};

LatentDiffusion tiny_model() { return LatentDiffusion::load(kTinySd15); }

}  // namespace

TEST(DistillationSources, KeysCarryLabelsAndImagesComeResizedInTheirOrder) {
  const auto dataset = std::make_shared<FlatColours>();
  const auto keys = labelled_keys(*dataset, {{1, {2, 0}}, {0, {1}}});
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_EQ(keys[0].key, (ImageKey{1, 2}));
  EXPECT_EQ(keys[0].label, 2);
  EXPECT_EQ(keys[2].key, (ImageKey{0, 1}));
  const at::Tensor images = plain_image_source(dataset, 16)({keys[0].key, keys[2].key});
  EXPECT_EQ(images.sizes(), (at::IntArrayRef{2, 3, 16, 16}));
  EXPECT_TRUE(torch::allclose(images[0], torch::full({3, 16, 16}, 200 / 255.0)));
  EXPECT_TRUE(torch::allclose(images[1], torch::full({3, 16, 16}, 40 / 255.0)));
}

TEST(DistillationSources, ALoadedModelTeachesAsItsFunctionsDo) {
  const LatentDiffusion model = tiny_model();
  const LdmFunctions ldm = ldm_functions_of(model);
  const at::Tensor image01 = torch::rand({2, 3, model.image_size_px(), model.image_size_px()});
  torch::NoGradGuard no_graph;
  EXPECT_EQ(ldm.image_size_px, model.image_size_px());
  EXPECT_TRUE(torch::equal(ldm.encode(image01), model.encode(image01)));
  const at::Tensor t = torch::tensor({20, 900}), z = model.encode(image01), condition = ldm.embed({"a", "b"});
  EXPECT_TRUE(torch::equal(ldm.predict_epsilon(z, t, condition), model.predict_epsilon(z, t, condition)));
  EXPECT_EQ(ldm.alphas_cumprod.scalar_type(), torch::kFloat64);
}

TEST(DistillationSources, AStepWithARealNetworkAgreesBetweenExactAndDifference) {
  const LdmFunctions ldm = ldm_functions_of(tiny_model());
  const auto dataset = std::make_shared<FlatColours>();
  const auto step = [&](EncoderForm encoder) {
    DistillationConfig config;
    config.encoder = encoder;
    config.fraction = 1;
    config.lambda_ld_mode = LambdaMode::kFixed;
    LatentDistillation distillation(config, ldm, dataset->class_names(), plain_image_source(dataset, ldm.image_size_px),
                                    1);
    const at::Tensor logits = torch::arange(18).reshape({6, 3}).remainder(5).to(torch::kFloat32).requires_grad_();
    return distillation
        .step({logits,
               torch::tensor({0, 1, 2, 0, 1, 2}),
               torch::tensor({0, 0, 0, 1, 1, 1}),
               torch::tensor({0, 1, 2, 0, 1, 2}),
               {}},
              3)
        .figures;
  };
  const auto exact = step(EncoderForm::kExact), difference = step(EncoderForm::kDifference);
  EXPECT_GT(exact.mean_abs_g, 0);
  EXPECT_NEAR(difference.mean_abs_g, exact.mean_abs_g, 0.05 * exact.mean_abs_g);
  EXPECT_NEAR(difference.mean_squared_residual, exact.mean_squared_residual, 1e-3 * exact.mean_squared_residual);
}

TEST(DistillationSources, TheIdentityOfCurvesFollowsTheImages) {
  const LatentDiffusion model = tiny_model();
  const FlatColours one, same, brighter(5);
  const auto keys = labelled_keys(one, {{0, {0, 1}}});
  EXPECT_EQ(curve_identity(model, one, keys), curve_identity(model, same, keys));
  EXPECT_NE(curve_identity(model, one, keys), curve_identity(model, brighter, keys));
  EXPECT_NE(curve_identity(model, one, keys), curve_identity(model, one, labelled_keys(one, {{0, {0}}})));
  const ShrunkDataset shrunk(std::make_shared<FlatColours>(), 4);
  EXPECT_NE(curve_identity(model, one, keys), curve_identity(model, shrunk, keys));
}

}  // namespace domainfusion
