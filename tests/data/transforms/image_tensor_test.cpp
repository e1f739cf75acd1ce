#include "domainfusion/data/transforms/image_tensor.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "data/made_dataset.h"

namespace domainfusion {

TEST(ImageTensor, AnImageGoesOutAndComesBack) {
  const Image image = made_image(5, 7, 3);
  const at::Tensor tensor = image_to_tensor01(image);
  EXPECT_EQ(tensor.sizes(), (at::IntArrayRef{3, 5, 7}));
  EXPECT_EQ(tensor[1][2][3].item<float>(), image.rgb[3 * (2 * 7 + 3) + 1] / 255.0f);
  EXPECT_EQ(tensor01_to_image(tensor), image);
  EXPECT_EQ(tensor01_to_image(tensor.unsqueeze(0).to(torch::kFloat64)), image);
}

TEST(ImageTensor, ValuesOutsideAreClampedAndWrongTensorsAreErrors) {
  EXPECT_EQ(tensor01_to_image(torch::full({3, 1, 1}, 1.5)).rgb[0], 255);
  EXPECT_EQ(tensor01_to_image(torch::full({3, 1, 1}, -0.5)).rgb[0], 0);
  EXPECT_THROW(tensor01_to_image(torch::zeros({1, 4, 4})), ShapeError);
  EXPECT_THROW(tensor01_to_image(torch::zeros({2, 3, 4, 4})), ShapeError);
  EXPECT_THROW(tensor01_to_image(torch::full({3, 1, 1}, NAN)), FormatError);
}

TEST(ImageTensor, NormalisingGoesBothWaysAndEqualsTheFastPath) {
  const Image image = made_image(6, 6, 1);
  const at::Tensor normalised = normalise(image_to_tensor01(image));
  at::Tensor fast = torch::empty({3, 6, 6});
  write_normalised(image, fast.data_ptr<float>());
  EXPECT_TRUE(torch::equal(normalised, fast));
  EXPECT_TRUE(torch::allclose(denormalise(normalised), image_to_tensor01(image), 1e-6, 1e-6));
}

}  // namespace domainfusion
