#include "domainfusion/distillation/teachers/diffusion_classifier.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "distillation/tiny_ldm.h"

namespace domainfusion {
namespace {

const std::vector<std::string> kFourClasses = {"dog", "guitar", "house", "person"};

DistillationConfig whole_batch_posterior() {
  DistillationConfig config;
  config.teacher = "diffusion_classifier";
  config.fraction = 1;
  return config;
}

DiffusionClassifier make_classifier(const DistillationConfig& config,
                                    const LdmFunctions& ldm = tiny_ldm(torch::kFloat32)) {
  return DiffusionClassifier(config, ldm, kFourClasses, tiny_images(), 7);
}

struct PosteriorCase {
  at::Tensor logits_NK = tiny_weights({6, 4}, 21, torch::kFloat32).requires_grad_();
  std::vector<ImageKey> keys;
  DistillationBatch batch;

  PosteriorCase() {
    std::vector<std::int64_t> label, domain, index;
    for (const LabelledKey& image : tiny_keys(6, 4)) {
      keys.push_back(image.key);
      label.push_back(image.label);
      domain.push_back(image.key.domain);
      index.push_back(image.key.index);
    }
    batch = {logits_NK, torch::tensor(label), torch::tensor(domain), torch::tensor(index), {}};
  }
};

at::Tensor all_classes(std::int64_t images) { return torch::arange(4, torch::kInt64).expand({images, 4}).contiguous(); }

}  // namespace

TEST(DiffusionClassifier, ThePosteriorIsTheSoftmaxOfTheSummedSquaredErrorsAtSharedNoise) {
  const LdmFunctions ldm = tiny_ldm(torch::kFloat32);
  const ImageKey key{1, 2};
  const at::Tensor z = ldm.encode(tiny_images()({key}));
  const NoiseDraw noise = draw_noise(7, "diffusion classifier", 5, {key}, 20, 980, z.sizes().slice(1));
  const double abar = ldm.alphas_cumprod[noise.t_N[0].item<std::int64_t>()].item<double>();
  const at::Tensor z_t = std::sqrt(abar) * z + std::sqrt(1 - abar) * noise.epsilon_NChw;
  std::vector<double> minus_error;
  for (const std::string& name : kFourClasses) {
    const at::Tensor hat = ldm.predict_epsilon(z_t, noise.t_N, ldm.embed({"an image of a " + name}));
    minus_error.push_back(-(hat - noise.epsilon_NChw).square().sum().item<double>() / 3);
  }
  DistillationConfig config = whole_batch_posterior();
  config.classifier.temperature = 3;
  const at::Tensor got = make_classifier(config).log_posterior(z, all_classes(1), {key}, 5);
  EXPECT_TRUE(torch::allclose(got[0].to(torch::kFloat64), torch::tensor(minus_error, torch::kFloat64).log_softmax(0),
                              1e-5, 1e-5));
}

TEST(DiffusionClassifier, TheGradientInTheLogitsIsTheDifferenceOfThePosteriors) {
  PosteriorCase c;
  DistillationConfig config = whole_batch_posterior();
  config.classifier.weight = 0.5;
  DiffusionClassifier teacher = make_classifier(config);
  std::vector<at::Tensor> z;
  for (const ImageKey& key : c.keys) z.push_back(tiny_ldm(torch::kFloat32).encode(tiny_images()({key})));
  const at::Tensor q = teacher.log_posterior(torch::cat(z), all_classes(6), c.keys, 3).exp();
  const at::Tensor got = torch::autograd::grad({teacher.teach(c.batch, 3).loss}, {c.logits_NK})[0];
  EXPECT_TRUE(torch::allclose(got, 0.5 * (c.logits_NK.detach().softmax(1) - q) / 6, 1e-4, 1e-6));
}

TEST(DiffusionClassifier, TheLabelAndTheLikeliestOthersAreScored) {
  DistillationConfig config = whole_batch_posterior();
  config.classifier.max_classes = 2;
  const at::Tensor logits = torch::tensor({{0.f, 3.f, 2.f, 1.f}, {5.f, 1.f, 1.f, 0.f}, {0.f, 2.f, 2.f, 1.f}});
  const at::Tensor got = make_classifier(config).scored_classes(logits, torch::tensor({0, 0, 3}, torch::kInt64));
  EXPECT_TRUE(torch::equal(got, torch::tensor({{0, 1}, {0, 1}, {1, 3}}, torch::kInt64)));
  PosteriorCase c;
  EXPECT_EQ(make_classifier(config).teach(c.batch, 0).figures.at("classes_scored"), 2);
  EXPECT_EQ(make_classifier(config).cost().unet_per_drawn, 2);
}

TEST(DiffusionClassifier, GroupingIntoPassesAndKeepingLatentsChangeNothing) {
  PosteriorCase c;
  const double together = make_classifier(whole_batch_posterior()).teach(c.batch, 2).loss.item<double>();
  DistillationConfig config = whole_batch_posterior();
  config.images_per_pass = 5;
  config.classifier.limit_mb = 0;
  EXPECT_NEAR(make_classifier(config).teach(c.batch, 2).loss.item<double>(), together, 1e-5 * std::abs(together));

  std::int64_t encoded = 0;
  LdmFunctions counting = tiny_ldm(torch::kFloat32);
  counting.encode = [&, encode = counting.encode](const at::Tensor& x) {
    encoded += x.size(0);
    return encode(x);
  };
  DiffusionClassifier teacher = make_classifier(whole_batch_posterior(), counting);
  EXPECT_EQ(teacher.teach(c.batch, 2).loss.item<double>(), together);
  EXPECT_EQ(teacher.teach(c.batch, 2).loss.item<double>(), together);
  EXPECT_EQ(encoded, 6);
  EXPECT_NE(teacher.teach(c.batch, 4).loss.item<double>(), together);
}

// The noise comes down to which prompt the LDM was asked with: a teacher that denoises exactly under one prompt must
// say so.
TEST(DiffusionClassifier, AnLdmThatDenoisesOneClassTeachesThatClass) {
  PosteriorCase c;
  LdmFunctions knows = tiny_ldm(torch::kFloat32);
  const at::Tensor house = knows.embed({"an image of a house"}).sum();
  knows.predict_epsilon = [=](const at::Tensor& z_t, const at::Tensor&, const at::Tensor& condition) {
    return z_t * (condition.sum({1, 2}) - house).abs().gt(1e-6).to(torch::kFloat32).reshape({-1, 1, 1, 1}) * 10;
  };
  const TeacherStep step = make_classifier(whole_batch_posterior(), knows).teach(c.batch, 1);
  EXPECT_LT(step.figures.at("teacher_entropy").get<double>(), 1e-3);
  const at::Tensor gradient = torch::autograd::grad({step.loss}, {c.logits_NK})[0];
  EXPECT_TRUE(gradient.argmin(1).eq(2).all().item<bool>());
}

TEST(DiffusionClassifier, OptionsOfTheScoreAreRefused) {
  DistillationConfig config = whole_batch_posterior();
  config.control = GradientControl::kShuffled;
  EXPECT_THROW(make_classifier(config), ConfigError);
}

TEST(DistillationTeachers, TheNearestNameIsOffered) {
  try {
    distillation_teachers().at("scores");
    FAIL();
  } catch (const ConfigError& error) {
    EXPECT_NE(std::string(error.what()).find("score"), std::string::npos);
  }
}

}  // namespace domainfusion
