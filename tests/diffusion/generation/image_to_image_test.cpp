#include "domainfusion/diffusion/generation/image_to_image.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

// A model of random weights; its own scheduler is PNDM.
LatentDiffusion tiny_model() { return LatentDiffusion::load(kTinySd15); }

at::Tensor pictures(std::int64_t count) {
  torch::manual_seed(3);
  return torch::rand({count, 3, 16, 16}).repeat_interleave(4, 2).repeat_interleave(4, 3);
}

// Image i + first of a set of images, each with its own prompt and noise.
ImageToImageRequest request_for(const at::Tensor& image01, std::uint64_t first = 0) {
  ImageToImageRequest request;
  request.image01_N3HW = image01;
  request.steps = 6;
  request.guidance_scale = 3;
  for (std::int64_t i = 0; i < image01.size(0); ++i) {
    const std::uint64_t number = first + static_cast<std::uint64_t>(i);
    request.prompts.push_back(number == 1 ? "a dog" : "a house in snow");
    request.inversion_prompts.push_back(number == 1 ? "a cat" : "");
    request.noise_streams.emplace_back(5, "test", std::initializer_list<std::uint64_t>{number});
  }
  return request;
}

at::Tensor bytes_of(const at::Tensor& image01) { return (image01 * 255).round().to(torch::kInt); }

// What the method promises of an image that was computed in another grouping: 99.9 % of the bytes within 1.
void expect_same_picture(const at::Tensor& a, const at::Tensor& b, const std::string& what) {
  const at::Tensor near = (bytes_of(a) - bytes_of(b)).abs() <= 1;
  EXPECT_GE(near.to(torch::kFloat).mean().item<double>(), 0.999) << what;
}

// Every way of making images: all schedulers that denoise, and inversion.
std::vector<std::pair<std::string, ImageToImageRequest>> all_ways(const ImageToImageRequest& request) {
  std::vector<std::pair<std::string, ImageToImageRequest>> ways;
  for (const std::string& name : scheduler_registry().names()) {
    if (name == "ddim_inverse") continue;
    ways.emplace_back(name, request);
    ways.back().second.scheduler = name;
  }
  ways.emplace_back("ddim with noise", request);
  ways.back().second.eta = 1;
  ways.emplace_back("inversion", request);
  ways.back().second.mode = GenerationMode::kInversion;
  return ways;
}

}  // namespace

TEST(ImageToImage, StrengthZeroIsTheRoundTripThroughTheVae) {
  const LatentDiffusion model = tiny_model();
  const at::Tensor images = pictures(2);
  for (auto& [name, request] : all_ways(request_for(images))) {
    request.strength = 0;
    EXPECT_TRUE(image_to_image(model, request).equal(model.decode(model.encode(images)))) << name;
  }
}

TEST(ImageToImage, ABatchIsItsSingleImages) {
  const LatentDiffusion model = tiny_model();
  const at::Tensor images = pictures(3);
  for (const auto& [name, request] : all_ways(request_for(images))) {
    const at::Tensor together = image_to_image(model, request);
    for (std::int64_t i = 0; i < 3; ++i) {
      ImageToImageRequest alone = request_for(images.narrow(0, i, 1), static_cast<std::uint64_t>(i));
      alone.scheduler = request.scheduler;
      alone.eta = request.eta;
      alone.mode = request.mode;
      expect_same_picture(image_to_image(model, alone)[0], together[i], name);
    }
    EXPECT_FALSE(together[0].allclose(together[2], 1e-2, 1e-2)) << name;
  }
}

TEST(ImageToImage, EqualBatchAndThreadsGiveEveryBitAndOtherThreadsTheSamePicture) {
  const LatentDiffusion model = tiny_model();
  for (const auto& [name, request] : all_ways(request_for(pictures(2)))) {
    set_threads(1);
    const at::Tensor one = image_to_image(model, request);
    EXPECT_TRUE(one.equal(image_to_image(model, request))) << name;
    set_threads(2);
    expect_same_picture(one, image_to_image(model, request), name);
    set_threads(1);
  }
}

TEST(ImageToImage, AutoIsTheSchedulerOfTheModelsOwnFile) {
  const LatentDiffusion model = tiny_model();
  ImageToImageRequest automatic = request_for(pictures(1)), pndm = automatic;
  automatic.scheduler = "auto";
  pndm.scheduler = "pndm";
  EXPECT_TRUE(image_to_image_latents(model, automatic).equal(image_to_image_latents(model, pndm)));
  pndm.scheduler = "ddim";
  EXPECT_FALSE(image_to_image_latents(model, automatic).equal(image_to_image_latents(model, pndm)));
}

TEST(ImageToImage, AnInversionGoesAsFarAsItComesBackAndDrawsNothing) {
  const LatentDiffusion model = tiny_model();
  ImageToImageRequest request = request_for(pictures(1));
  request.mode = GenerationMode::kInversion;
  request.noise_streams.clear();
  request.steps = 10;
  request.strength = 0.35;
  std::vector<at::Tensor> inverted, regenerated;
  request.on_inverted = [&](const at::Tensor& z) { inverted.push_back(z); };
  request.on_latents = [&](const at::Tensor& z) { regenerated.push_back(z); };
  image_to_image_latents(model, request);
  EXPECT_EQ(inverted.size(), 3u);
  ASSERT_EQ(regenerated.size(), 4u);
  EXPECT_TRUE(inverted.back().equal(regenerated.front()));
  EXPECT_EQ(unet_passes(model.scheduler_config(), request), 3 + 2 * 3);
}

TEST(ImageToImage, InversionUnderOnePromptLeadsBackToTheImageAsNoiseDoesNot) {
  const LatentDiffusion model = tiny_model();
  ImageToImageRequest request = request_for(pictures(1));
  request.inversion_prompts = request.prompts;
  request.guidance_scale = 1;
  request.steps = 100;
  request.strength = 0.2;
  const at::Tensor z0 = model.encode(request.image01_N3HW);
  const auto deviation = [&](GenerationMode mode) {
    request.mode = mode;
    return (image_to_image_latents(model, request) - z0).square().mean().sqrt().item<double>();
  };
  EXPECT_LT(deviation(GenerationMode::kInversion), 0.2 * deviation(GenerationMode::kImageToImage));
}

TEST(ImageToImage, RequestsThatCannotWorkAreRefused) {
  const LatentDiffusion model = tiny_model();
  const auto refused = [&](const std::string& word, auto change) {
    ImageToImageRequest request = request_for(pictures(1));
    change(request);
    try {
      image_to_image(model, request);
      ADD_FAILURE() << word << " was accepted";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(word), std::string::npos) << error.what();
    }
  };
  refused("strength = -0.1", [](auto& r) { r.strength = -0.1; });
  refused("strength = 1.1", [](auto& r) { r.strength = 1.1; });
  refused("less than one step", [](auto& r) { r.strength = 0.1; });
  refused("0 prompts", [](auto& r) { r.prompts.clear(); });
  refused("2 inversion prompts", [](auto& r) { r.inversion_prompts.resize(2); });
  refused("0 noise streams", [](auto& r) { r.noise_streams.clear(); });
  refused("0 noise streams", [](auto& r) {  // the steps draw, too
    r.scheduler = "ddpm";
    r.noise_streams.clear();
    r.noise_NChw = torch::zeros({1, 4, 8, 8});
  });
  refused("'ddim'", [](auto& r) { r.scheduler = "ddin"; });
  refused("ddim_inverse", [](auto& r) { r.scheduler = "ddim_inverse"; });
  refused("eta", [](auto& r) { r.eta = 2; });
  refused("inversion", [](auto& r) {
    r.mode = GenerationMode::kInversion;
    r.scheduler = "euler";
  });
  refused("60", [](auto& r) { r.image01_N3HW = torch::rand({1, 3, 60, 64}); });
  refused("noise [1, 4, 4, 4]", [](auto& r) { r.noise_NChw = torch::rand({1, 4, 4, 4}); });
}

TEST(ImageToImage, CheckedResultsInFloat32AreNotMadeTwice) {
  const LatentDiffusion model = tiny_model();
  ImageToImageRequest request = request_for(pictures(2));
  const CheckedValues checked = checked_image_to_image(model, request);
  EXPECT_EQ(checked.failures, std::vector<std::string>(2));
  EXPECT_TRUE(checked.values_N.equal(image_to_image(model, request)));
  request.noise_NChw = torch::zeros({2, 4, 8, 8});
  request.noise_NChw[1][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  const CheckedValues spoilt = checked_image_to_image(model, request);
  EXPECT_EQ(spoilt.failures, (std::vector<std::string>{"", kNotFinite}));
  EXPECT_EQ(spoilt.retried, 0);
}

}  // namespace domainfusion
