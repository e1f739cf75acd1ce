// Every instruction set gives the bytes of the portable loops, which the parity tests hold to PIL.
#include "domainfusion/data/transforms/pixel_loops/pixel_loops.h"

#include <gtest/gtest.h>

#include "domainfusion/core/random/random.h"
#include "domainfusion/data/transforms/color.h"
#include "domainfusion/data/transforms/train_augmentation.h"

namespace domainfusion {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes random_bytes(std::size_t count, std::uint64_t seed) {
  RandomStream stream(seed, "bytes");
  Bytes bytes;
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<std::uint8_t>(stream.next_u32() >> 24));
  return bytes;
}

// What `work` makes with each set of loops, the portable ones first.
template <class Work>
std::vector<Bytes> with_each(Work work) {
  std::vector<Bytes> results;
  for (const PixelLoops* loops : runnable_pixel_loops()) results.push_back(work(*loops));
  return results;
}

void expect_all_equal(const std::vector<Bytes>& results) {
  for (std::size_t i = 1; i < results.size(); ++i)
    EXPECT_TRUE(results[i] == results[0]) << runnable_pixel_loops()[i]->instruction_set;
}

}  // namespace

TEST(PixelLoops, ResizeRowsAlikeUpToTheLastByteOfTheImage) {
  for (const int count : {1, 2, 3, 5, 8, 9}) {
    const int width = 40;
    const Bytes input =
        random_bytes(3 * static_cast<std::size_t>(width + count - 1), static_cast<std::uint64_t>(count));
    const int stride = (count + kResampleGroup - 1) / kResampleGroup * kResampleGroup;
    std::vector<ResampleWindow> windows;
    std::vector<std::int32_t> weights(static_cast<std::size_t>(width * stride));
    for (int x = 0; x < width; ++x) {
      windows.push_back({x, count});
      // One weight is negative and one over the whole, so that sums leave the range of a byte.
      for (int i = 0; i < count; ++i) weights[x * stride + i] = ((i * 7 + x) % 5 - 1) * (1 << kWeightBits) / 3;
    }
    expect_all_equal(with_each([&](const PixelLoops& loops) {
      Bytes output(3 * width);
      loops.resize_row(input.data(), input.size(), output.data(), width, windows.data(), weights.data(), stride);
      return output;
    }));
  }
}

TEST(PixelLoops, BlendRowsAndPlanesAlikeForEveryLength) {
  for (const std::size_t count : {1u, 15u, 16u, 17u, 100u, 257u}) {
    const Bytes rows = random_bytes(3 * count, count);
    const std::vector<std::int32_t> weights{1 << 20, 3 << 20, -(1 << 19)};
    expect_all_equal(with_each([&](const PixelLoops& loops) {
      Bytes output(count);
      loops.blend_rows(rows.data(), count, output.data(), weights.data(), 3);
      return output;
    }));
    for (const bool flip : {false, true}) {
      expect_all_equal(with_each([&](const PixelLoops& loops) {
        Bytes planes(3 * count);
        loops.split_row(rows.data(), planes.data(), count, count, flip);
        return planes;
      }));
    }
  }
}

TEST(PixelLoops, ChangeColoursAlike) {
  for (const std::size_t pixels : {1u, 33u, 255u, 256u, 257u, 5000u}) {
    for (const float factor : {0.0f, 0.7f, 1.3f}) {
      expect_all_equal(with_each([&](const PixelLoops& loops) {
        Bytes planes = random_bytes(3 * pixels, pixels);
        std::uint8_t *r = planes.data(), *g = r + pixels, *b = g + pixels;
        loops.blend_with_luma(r, g, b, pixels, factor);
        loops.blend_with_grey(r, 3 * pixels, static_cast<int>(loops.sum_of_luma(r, g, b, pixels) % 256), factor);
        return planes;
      }));
    }
  }
}

TEST(PixelLoops, APictureChangesAlikeThroughAllColours) {
  // Every third value of each channel: all orders of channels, ties and greys among them.
  Planes colours{86, 86 * 86, {}};
  for (int c = 0; c < 3; ++c) {
    for (int i = 0; i < 86 * 86 * 86; ++i)
      colours.bytes.push_back(static_cast<std::uint8_t>((c == 0 ? i / 7396 : c == 1 ? i / 86 % 86 : i % 86) * 3));
  }
  Planes turned = colours;
  adjust_hue(turned, 0.25);
  adjust_hue(turned, -0.25);
  std::size_t far = 0;
  for (std::size_t i = 0; i < colours.bytes.size(); ++i) far += std::abs(colours.bytes[i] - turned.bytes[i]) > 12;
  // There and back loses what 8-bit HSV cannot hold, no more.
  EXPECT_LT(static_cast<double>(far) / static_cast<double>(colours.bytes.size()), 0.02);
  EXPECT_EQ(image_of(planes_of(image_of(colours))), image_of(colours));
}

TEST(Augmenter, KeepsNothingOfTheImageBefore) {
  Augmenter again;
  for (int i = 0; i < 12; ++i) {
    const int height = 20 + 7 * i % 31, width = 50 - 3 * i;
    const Image image{height, width, random_bytes(3 * static_cast<std::size_t>(height) * width, 100 + i)};
    RandomStream stream(9, "draws", {static_cast<std::uint64_t>(i)});
    const AugmentationDraws draws = draw_augmentation(height, width, {}, stream);
    EXPECT_TRUE(again(image, draws, 24 + i % 3).bytes == augmented(image, draws, 24 + i % 3).bytes);
  }
}

}  // namespace domainfusion
