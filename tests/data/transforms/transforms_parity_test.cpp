// Image transforms equal PIL's and torchvision's. 8-bit results are exact, floats within rtol 1e-4, atol 1e-5.

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>

#include "domainfusion/data/transforms/color.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/train_augmentation.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "parity/case_folders.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

at::Tensor bytes_of(const Image& image) {
  return torch::tensor(at::ArrayRef<std::uint8_t>(image.rgb), torch::kUInt8).view({image.height, image.width, 3});
}

Image image_of(const at::Tensor& bytes_HWC) {
  const at::Tensor bytes = bytes_HWC.contiguous();
  const auto* data = bytes.data_ptr<std::uint8_t>();
  return {static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), {data, data + bytes.numel()}};
}

double uniform(double low, double high) { return torch::empty({1}).uniform_(low, high).item<float>(); }
bool chance(double p) { return torch::rand({1}).item<float>() < p; }
int below(std::int64_t bound) {
  return static_cast<int>(torch::randint(0, bound, {1}, torch::kInt64).item<std::int64_t>());
}

// What torchvision draws after torch.manual_seed(seed) for DomainBed's training transform.
AugmentationDraws torchvision_draws(std::uint64_t seed, int height, int width) {
  torch::manual_seed(seed);
  AugmentationDraws draws;
  const at::Tensor log_ratio = torch::log(torch::tensor({3.0f / 4.0f, 4.0f / 3.0f}));
  for (int i = 0; i < 10 && draws.crop.height == 0; ++i) {
    const double area = height * width * uniform(0.7, 1.0);
    const double ratio =
        torch::exp(torch::empty({1}).uniform_(log_ratio[0].item<float>(), log_ratio[1].item<float>())).item<float>();
    const int w = static_cast<int>(std::nearbyint(std::sqrt(area * ratio)));
    const int h = static_cast<int>(std::nearbyint(std::sqrt(area / ratio)));
    if (w < 1 || w > width || h < 1 || h > height) continue;
    draws.crop = {below(height - h + 1), 0, h, w};
    draws.crop.left = below(width - w + 1);
  }
  draws.flip = chance(0.5);
  const at::Tensor order = torch::randperm(4, torch::kInt64);
  for (int i = 0; i < 4; ++i) draws.order[i] = static_cast<ColorChange>(order[i].item<std::int64_t>());
  for (double* factor : {&draws.brightness, &draws.contrast, &draws.saturation}) *factor = uniform(0.7, 1.3);
  draws.hue = uniform(-0.3, 0.3);
  draws.grayscale = chance(0.1);
  return draws;
}

struct TransformCase {
  fs::path folder;
  TensorMap expected;
  nlohmann::json draws;

  Image input(const std::string& name) const {
    return read_image(folder / (name + (name == "photo" ? ".jpg" : ".png")));
  }
};

const std::map<std::string, Filter> kFilters{{"bilinear", Filter::kBilinear}, {"bicubic", Filter::kBicubic}};

Image jittered(const Image& input, const std::string& what) {
  std::smatch part;
  if (std::regex_match(what, part, std::regex("brightness(.*)"))) return adjust_brightness(input, std::stod(part[1]));
  if (std::regex_match(what, part, std::regex("contrast(.*)"))) return adjust_contrast(input, std::stod(part[1]));
  if (std::regex_match(what, part, std::regex("saturation(.*)"))) return adjust_saturation(input, std::stod(part[1]));
  if (std::regex_match(what, part, std::regex("hue(.*)"))) return adjust_hue(input, std::stod(part[1]));
  if (what == "grayscale3") return grayscale(input);
  if (std::regex_match(what, part, std::regex("chain_b(.*)_c(.*)_s(.*)_h(.*)"))) {
    AugmentationDraws draws{.crop = {0, 0, input.height, input.width}};
    draws.brightness = std::stod(part[1]);
    draws.contrast = std::stod(part[2]);
    draws.saturation = std::stod(part[3]);
    draws.hue = std::stod(part[4]);
    return image_of(augmented(input, draws, input.width));
  }
  return input;
}

// 8-bit result for an expected tensor [H, W, 3] of that name; nothing where the project has no such transform.
std::optional<Image> image_result(const TransformCase& c, const std::string& name, int height, int width) {
  std::smatch part;
  if (name == "photo.decoded") return c.input("photo");
  if (name == "jitter.input") return image_of(c.expected.at(name));
  if (std::regex_match(name, part, std::regex("jitter\\.(.*)")))
    return jittered(image_of(c.expected.at("jitter.input")), part[1]);
  if (std::regex_match(name, part, std::regex("(\\w+)\\.pil_(bilinear|bicubic|shorter_edge)(_up)?"))) {
    return resize(c.input(part[1]), height, width, part[2] == "bicubic" ? Filter::kBicubic : Filter::kBilinear);
  }
  if (std::regex_match(name, part, std::regex("(\\w+)\\.hflip")))
    return crop(flip_left_right(c.input(part[1])), {0, 0, height, width});
  if (std::regex_match(name, part, std::regex("(\\w+)\\.center_crop"))) {
    const Image input = c.input(part[1]);
    return crop(input, {static_cast<int>(std::nearbyint((input.height - height) / 2.0)),
                        static_cast<int>(std::nearbyint((input.width - width) / 2.0)), height, width});
  }
  if (std::regex_match(name, part, std::regex("(\\w+)\\.resized_crop"))) {
    const auto& box = c.draws.at(name);
    return resized_crop(c.input(part[1]), {box["top"], box["left"], box["height"], box["width"]}, height, width,
                        Filter::kBilinear);
  }
  return std::nullopt;
}

// The same for expected floats [3, H, W] or [1, 3, H, W].
std::optional<at::Tensor> tensor_result(const TransformCase& c, const std::string& name, int height, int width) {
  std::smatch part;
  if (name == "normalized") return normalise(image_to_tensor01(image_of(c.expected.at("jitter.input"))));
  if (std::regex_match(name, part, std::regex("(\\w+)\\.to_tensor"))) {
    return image_to_tensor01(crop(c.input(part[1]), {0, 0, height, width}));
  }
  if (std::regex_match(name, part, std::regex("domainbed\\.eval\\.(\\w+)"))) {
    return normalise(image_to_tensor01(evaluation_view(c.input(part[1]), width)));
  }
  if (std::regex_match(name, part, std::regex("domainbed\\.train\\.seed(\\d+)\\.(\\w+)"))) {
    const Image input = c.input(part[2]);
    return normalise(image_to_tensor01(
        image_of(augmented(input, torchvision_draws(std::stoull(part[1]), input.height, input.width), width))));
  }
  if (name == "diffusers.preprocess_lanczos") {
    return 2 * image_to_tensor01(resize(c.input("img1"), height, width, Filter::kLanczos)).unsqueeze(0) - 1;
  }
  if (name == "diffusers.preprocess_default") {
    const Image input = c.input("img0");
    const Image resized = resize(input, input.height / 8 * 8, input.width / 8 * 8, Filter::kLanczos);
    return 2 * image_to_tensor01(crop(resized, {0, 0, height, width})).unsqueeze(0) - 1;
  }
  return std::nullopt;
}

void expect_case(const TransformCase& c, const std::string& name, const at::Tensor& expected) {
  const bool bytes = expected.scalar_type() == torch::kUInt8;
  const int height = static_cast<int>(expected.size(bytes ? -3 : -2)),
            width = static_cast<int>(expected.size(bytes ? -2 : -1));
  std::optional<at::Tensor> actual;
  if (!bytes) {
    actual = tensor_result(c, name, height, width);
  } else if (const auto image = image_result(c, name, height, width)) {
    actual = bytes_of(*image);
  }
  if (!actual) {
    std::cout << "left out: " << c.folder << " " << name << ": no such transform here\n";
    return;
  }
  ASSERT_EQ(actual->sizes(), expected.sizes()) << name;
  if (bytes) {
    EXPECT_TRUE(torch::equal(*actual, expected))
        << c.folder << " " << name << ": " << (*actual != expected).sum().item<int>() << " of " << expected.numel()
        << " bytes differ";
  } else {
    EXPECT_TRUE(torch::allclose(*actual, expected, 1e-4, 1e-5)) << c.folder << " " << name;
  }
}

}  // namespace

TEST(TransformsParity, EveryResultEqualsThatOfPilAndTorchvision) {
  const auto folders = case_folders("preprocessing", "draws.json");
  ASSERT_FALSE(folders.empty());
  for (const fs::path& folder : folders) {
    const TransformCase c{folder, load_tensors(folder / "expected.safetensors"),
                          nlohmann::json::parse(read_file(folder / "draws.json"))};
    for (const auto& [name, expected] : c.expected) expect_case(c, name, expected);
  }
}

TEST(TransformsParity, TheDrawsOfTorchvisionAreUnderstood) {
  for (const fs::path& folder : case_folders("preprocessing", "draws.json")) {
    const Image input = read_image(folder / "img0.png");
    for (const auto& facts : nlohmann::json::parse(read_file(folder / "draws.json"))["seeded_augmentation_of_img0"]) {
      const AugmentationDraws draws = torchvision_draws(facts["seed"], input.height, input.width);
      const auto crop = facts["crop"].get<std::vector<int>>();
      EXPECT_EQ((std::vector<int>{draws.crop.top, draws.crop.left, draws.crop.height, draws.crop.width}), crop)
          << facts["seed"];
      EXPECT_EQ(draws.flip, facts["flipped"].get<bool>());
      EXPECT_FLOAT_EQ(draws.hue, facts["hue"].get<double>());
      EXPECT_EQ(draws.grayscale, facts["gray"].get<bool>());
    }
  }
}

}  // namespace domainfusion
