#include "domainfusion/report/canvas.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/report/pixel_font.h"
#include "report/picture_asserts.h"

namespace domainfusion {
namespace {

TEST(Canvas, RectanglesAreCutAtTheBorders) {
  Image image = blank_image(10, 6);
  fill_rectangle(image, -5, -5, 7, 7, kRed);
  EXPECT_EQ(count_colour(image, kRed), 4);
  fill_rectangle(image, 100, 100, 5, 5, kRed);
  EXPECT_EQ(count_colour(image, kRed), 4);
}

TEST(Canvas, PastingRepeatsPixelsByTheScale) {
  Image image = blank_image(8, 8);
  paste(image, blank_image(2, 1, kRed), 1, 2, 3);
  EXPECT_EQ(count_colour(image, kRed), 18);
  EXPECT_TRUE(has_colour(image, 6, 4, kRed));
  EXPECT_TRUE(has_colour(image, 7, 4, kWhite));
  EXPECT_THROW(paste(image, image, 0, 0, 0), ShapeError);
}

TEST(Canvas, AHorizontalLineCoversItsWidth) {
  Image image = blank_image(20, 9);
  draw_line(image, 2, 4, 17, 4, 3, kBlack);
  for (int y = 3; y <= 5; ++y) EXPECT_TRUE(has_colour(image, 10, y, kBlack)) << y;
  EXPECT_TRUE(has_colour(image, 10, 1, kWhite));
  EXPECT_TRUE(has_colour(image, 10, 7, kWhite));
}

TEST(Canvas, TextHasTheWidthItSays) {
  Image image = blank_image(40, 9);
  draw_text(image, "HH", 0, 0);
  EXPECT_EQ(text_width_px("HH"), 11);
  EXPECT_EQ(text_width_px(""), 0);
  EXPECT_EQ(text_width_px("HH", 3), 33);
  EXPECT_TRUE(has_colour(image, 10, 0, kBlack));
  EXPECT_EQ(count_colour(image, kBlack), 2 * 17);
}

TEST(Canvas, TextUpwardsHasAsManyDotsAsTextAcross) {
  Image across = blank_image(60, 60), upwards = blank_image(60, 60);
  draw_text(across, "mean g", 5, 5, kBlack, 1);
  draw_text_upwards(upwards, "mean g", 5, 5, kBlack, 1);
  EXPECT_EQ(count_colour(across, kBlack), count_colour(upwards, kBlack));
}

TEST(Canvas, EveryPrintableCharacterButTheSpaceHasAGlyphOfItsOwn) {
  for (char a = '!'; a <= '~'; ++a) {
    for (char b = ' '; b < a; ++b) EXPECT_NE(glyph(a), glyph(b)) << a << " and " << b;
  }
  EXPECT_EQ(glyph('\n'), glyph('?'));
  EXPECT_EQ(glyph('\xC3'), glyph('?'));
}

TEST(Canvas, PicturesWithoutPixelsOrOfAbsurdSizeAreRefused) {
  EXPECT_THROW(blank_image(0, 5), ShapeError);
  EXPECT_THROW(blank_image(100000, 100000), ShapeError);
}

}  // namespace
}  // namespace domainfusion
