// CLIP's image encoder, the forms in which its weights are published, and positions for another image size
// (tests/parity/clip_vit/PROVENANCE.md: what was run, tolerances).
#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/classifiers/backbones/clip_vit.h"
#include "domainfusion/classifiers/classifier.h"
#include "domainfusion/nn/state_dict.h"
#include "parity/tensor_comparison.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

fs::path reference(const std::string& file) { return fs::path(DOMAINFUSION_TEST_DIR) / "parity" / "clip_vit" / file; }

VitShape tiny() { return {.image_size_px = 24, .patch = 8, .layers = 2, .heads = 12, .hidden = 24, .mlp = 96}; }

Classifier loaded(const std::string& file, const VitShape& shape = tiny()) {
  ClassifierConfig config;
  config.weights = reference(file);
  return Classifier(std::make_shared<ClipVit>(shape, 16), config, 3, 0);
}

class ClipFile : public testing::TestWithParam<const char*> {};

}  // namespace

TEST_P(ClipFile, GivesTheEncodersFeaturesAndGradients) {
  const TensorMap expected = load_tensors(reference("expected.safetensors"));
  Classifier classifier = loaded(GetParam());
  const at::Tensor image = expected.at("image").clone().requires_grad_();
  const at::Tensor feature = classifier->backbone().features(image);
  expect_close(feature, expected.at("feature"), {.of_rms = 1e-4}, "feature");
  feature.square().mean().backward();
  expect_close(image.grad(), expected.at("grad.image"), {.of_rms = 1e-3}, "grad.image");
  const auto parameters = classifier->named_parameters();
  int compared = 0;
  for (const auto& [name, gradient] : expected) {
    if (!name.starts_with("grad.") || name == "grad.image") continue;
    expect_close(parameters["visual." + name.substr(5)].grad(), gradient, {.of_rms = 1e-3}, name);
    ++compared;
  }
  EXPECT_EQ(compared, 32);
}

INSTANTIATE_TEST_SUITE_P(Published, ClipFile,
                         testing::Values("openai.pt", "torchscript.pt", "transformers.safetensors"));

TEST(ClipVit, ImagesReachItWithClipsStatistics) {
  Classifier classifier = loaded("openai.pt");
  const at::Tensor image01 = torch::rand({2, 3, 24, 24});
  const auto normalised = [&](const std::array<float, 3>& mean, const std::array<float, 3>& deviation) {
    const auto column = [](const std::array<float, 3>& v) { return torch::tensor({v[0], v[1], v[2]}).view({3, 1, 1}); };
    return (image01 - column(mean)) / column(deviation);
  };
  const at::Tensor expected = classifier->backbone().features(
      normalised({0.48145466f, 0.4578275f, 0.40821073f}, {0.26862954f, 0.26130258f, 0.27577711f}));
  expect_close(classifier->features(normalised({0.485f, 0.456f, 0.406f}, {0.229f, 0.224f, 0.225f})), expected,
               {.of_rms = 1e-4}, "features");
}

TEST(ClipVit, WithoutItsProjectionEndsBehindTheLastNorm) {
  const TensorMap expected = load_tensors(reference("expected.safetensors"));
  ClassifierConfig config;
  config.weights = reference("openai.pt");
  Classifier plain(std::make_shared<ClipVit>(tiny(), 0), config, 3, 0);
  const at::Tensor feature = plain->backbone().features(expected.at("image"));
  EXPECT_EQ(plain->feature_size(), 24);
  const at::Tensor projected = torch::matmul(feature, load_tensors(reference("openai.pt")).at("visual.proj"));
  expect_close(projected, expected.at("feature"), {.of_rms = 1e-4}, "projected feature");
}

TEST(VitWeights, OfTorchvisionsOlderNamesAndAnotherImageSizeAreTaken) {
  ClassifierConfig config;
  config.weights = reference("vit_24px.safetensors");
  const VitShape shape{.image_size_px = 40, .patch = 8, .layers = 1, .heads = 12, .hidden = 12, .mlp = 48};
  Classifier classifier(std::make_shared<Vit>(shape), config, 3, 0);
  const TensorMap own = state_dict_of(*classifier), file = load_tensors(config.weights);
  const at::Tensor expected = load_tensors(reference("vit_40px_position.safetensors")).at("encoder.pos_embedding");
  EXPECT_TRUE(torch::allclose(own.at("encoder.pos_embedding"), expected, 1e-5, 1e-6));
  EXPECT_TRUE(torch::equal(own.at("encoder.layers.encoder_layer_0.mlp.3.weight"),
                           file.at("encoder.layers.encoder_layer_0.mlp.linear_2.weight")));
  EXPECT_TRUE(torch::equal(own.at("heads.head.weight"), file.at("heads.head.weight")));
}

}  // namespace domainfusion
