#include <gtest/gtest.h>

#include <cmath>

#include "data/made_dataset.h"
#include "domainfusion/data/transforms/color.h"
#include "domainfusion/data/transforms/train_augmentation.h"

namespace domainfusion {

TEST(Transforms, ResizingToTheSameSizeChangesNothing) {
  const Image image = made_image(9, 7, 1);
  for (const Filter filter : {Filter::kBilinear, Filter::kBicubic, Filter::kLanczos}) {
    EXPECT_EQ(resize(image, 9, 7, filter), image);
  }
}

TEST(Transforms, AUniformImageStaysUniformAtEverySize) {
  const Image image{5, 6, std::vector<std::uint8_t>(90, 77)};
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 11}, {64, 2}}) {
    for (const Filter filter : {Filter::kBilinear, Filter::kBicubic, Filter::kLanczos}) {
      const Image resized = resize(image, height, width, filter);
      EXPECT_EQ(resized, (Image{height, width, std::vector<std::uint8_t>(std::size_t(3) * height * width, 77)}));
    }
  }
}

TEST(Transforms, AResizedCropIsTheCropResized) {
  const Image image = made_image(40, 30, 2);
  for (const CropBox& box : {CropBox{3, 4, 20, 11}, {0, 0, 40, 30}, {39, 29, 1, 1}, {5, 0, 16, 30}, {0, 7, 40, 16}}) {
    EXPECT_EQ(resized_crop(image, box, 16, 16, Filter::kBilinear), resize(crop(image, box), 16, 16, Filter::kBilinear));
  }
}

TEST(Transforms, BoxesOutsideOfTheImageAreErrors) {
  const Image image = made_image(4, 5, 0);
  for (const CropBox& box :
       {CropBox{0, 0, 5, 1}, {0, 0, 1, 6}, {-1, 0, 2, 2}, {0, 4, 1, 2}, {0, 0, 0, 1}, {2147483647, 0, 4, 4}}) {
    EXPECT_THROW(crop(image, box), ShapeError);
    EXPECT_THROW(resized_crop(image, box, 8, 8, Filter::kLanczos), ShapeError);
  }
  EXPECT_THROW(resize(image, 0, 3, Filter::kLanczos), ShapeError);
  EXPECT_THROW(resize(Image{}, 3, 3, Filter::kLanczos), ShapeError);
}

TEST(Transforms, NeutralFactorsChangeNothingAndGreyStaysGrey) {
  const Image image = made_image(8, 8, 5);
  EXPECT_EQ(adjust_brightness(image, 1), image);
  EXPECT_EQ(adjust_contrast(image, 1), image);
  EXPECT_EQ(adjust_saturation(image, 1), image);
  EXPECT_EQ(adjust_saturation(image, 0), grayscale(image));
  EXPECT_EQ(adjust_hue(grayscale(image), 0.3), grayscale(image));
  EXPECT_EQ(flip_left_right(flip_left_right(image)), image);
}

TEST(Transforms, DrawnCropsLieInTheImageAndFollowTheAskedScaleAndRatio) {
  AugmentationConfig config;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    RandomStream stream(1, "crop", {i});
    const AugmentationDraws draws = draw_augmentation(100, 120, config, stream);
    const double area = static_cast<double>(draws.crop.height) * draws.crop.width / (100 * 120);
    const double ratio = static_cast<double>(draws.crop.width) / draws.crop.height;
    EXPECT_GE(area, 0.68);
    EXPECT_LE(area, 1.0);
    EXPECT_GE(ratio, 0.73);
    EXPECT_LE(ratio, 1.36);
    EXPECT_NO_THROW(crop(made_image(100, 120, 0), draws.crop));
  }
}

TEST(Transforms, ExtremeShapesGetTheLargestCentralCrop) {
  RandomStream stream(1, "crop");
  const AugmentationDraws wide = draw_augmentation(3, 300, {}, stream), tall = draw_augmentation(300, 3, {}, stream);
  EXPECT_EQ(wide.crop.height, 3);
  EXPECT_EQ(wide.crop.width, 4);
  EXPECT_EQ(wide.crop.left, 148);
  EXPECT_EQ(tall.crop.height, 4);
  EXPECT_EQ(augmented(made_image(1, 1, 0), draw_augmentation(1, 1, {}, stream), 8).bytes.size(), 192u);
}

TEST(Transforms, ProbabilitiesAndFactorsAreThoseOfTheConfig) {
  int flips = 0, greys = 0;
  double hue = 0;
  constexpr int n = 20000;
  for (std::uint64_t i = 0; i < n; ++i) {
    RandomStream stream(2, "draws", {i});
    const AugmentationDraws draws = draw_augmentation(32, 32, {}, stream);
    flips += draws.flip;
    greys += draws.grayscale;
    hue = std::max(hue, std::abs(draws.hue));
    EXPECT_GE(draws.brightness, 0.7);
    EXPECT_LT(draws.brightness, 1.3);
  }
  EXPECT_NEAR(flips, 0.5 * n, 5 * std::sqrt(0.25 * n));
  EXPECT_NEAR(greys, 0.1 * n, 5 * std::sqrt(0.09 * n));
  EXPECT_NEAR(hue, 0.3, 0.01);
}

}  // namespace domainfusion
