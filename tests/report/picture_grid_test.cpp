#include "domainfusion/report/picture_grid.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "domainfusion/core/error.h"
#include "domainfusion/report/procedural_sheet.h"
#include "report/picture_asserts.h"

namespace domainfusion {
namespace {

PictureGrid two_by_two() {
  PictureGrid grid;
  grid.rows = {{"raw", {{blank_image(4, 4, kRed), ""}, {blank_image(4, 4, kBlue), ""}}},
               {"new", {{blank_image(4, 4, kBlue), ""}, {Image{}, ""}}}};
  return grid;
}

TEST(PictureGrid, ShowsEveryImageAtItsScale) {
  PictureGrid grid = two_by_two();
  grid.scale = 3;
  const Image page = render_picture_grid(grid);
  EXPECT_EQ(count_colour(page, kRed), 144);
  EXPECT_EQ(count_colour(page, kBlue), 288);
}

TEST(PictureGrid, CaptionsAndTitleMakeRoomForThemselves) {
  const Image plain = render_picture_grid(two_by_two());
  PictureGrid grid = two_by_two();
  grid.title = "a round";
  grid.column_captions = {"x", "candidate"};
  grid.rows[0].cells[0].caption = "a cat, photo";
  const Image captioned = render_picture_grid(grid);
  EXPECT_GT(captioned.height, plain.height);
  EXPECT_GT(count_colour(captioned, kBlack), count_colour(plain, kBlack));
  EXPECT_EQ(count_colour(captioned, kRed), count_colour(plain, kRed));
}

TEST(PictureGrid, SmallerImagesAreCentredInTheirCell) {
  PictureGrid grid;
  grid.scale = 1;
  grid.rows = {{"", {{blank_image(8, 8, kBlue), ""}, {blank_image(4, 4, kRed), ""}}}};
  const Image page = render_picture_grid(grid);
  EXPECT_TRUE(has_colour(page, 6 + 12 + 2, 6 + 2, kRed));
  EXPECT_TRUE(has_colour(page, 6 + 12 + 1, 6 + 1, kWhite));
}

TEST(PictureGrid, RefusesWhatItCannotShow) {
  EXPECT_THROW(render_picture_grid({}), ShapeError);
  PictureGrid grid = two_by_two();
  grid.rows[1].cells[0].image.rgb.pop_back();
  EXPECT_THROW(render_picture_grid(grid), ShapeError);
  grid = two_by_two();
  grid.scale = 0;
  EXPECT_THROW(render_picture_grid(grid), ConfigError);
  EXPECT_THROW(stack_images({}), ShapeError);
}

TEST(PictureGrid, WritesAPngThatReadsBack) {
  const std::filesystem::path path = std::filesystem::temp_directory_path() / "domainfusion_picture_grid.png";
  write_picture_grid(path, two_by_two());
  EXPECT_EQ(read_image(path), render_picture_grid(two_by_two()));
  std::filesystem::remove(path);
  EXPECT_THROW(write_picture_grid("/nonexistent/grid.png", two_by_two()), IoError);
}

TEST(PictureGrid, StackedImagesStandBelowOneAnother) {
  const Image page = stack_images({blank_image(4, 3, kRed), blank_image(6, 2, kBlue)}, 5);
  EXPECT_EQ(page.width, 6);
  EXPECT_EQ(page.height, 10);
  EXPECT_TRUE(has_colour(page, 0, 8, kBlue));
}

TEST(ProceduralSheet, HasARowPerImageAndAColumnPerClass) {
  const Image one = procedural_sheet(0, 1, 0, 1), two = procedural_sheet(0, 2, 0, 1);
  EXPECT_EQ(one.width, two.width);
  EXPECT_EQ(two.height - one.height, 4 * (64 + 4));
  EXPECT_THROW(procedural_sheet(0, 0), ConfigError);
  EXPECT_THROW(procedural_sheet(0, 1, -1), ConfigError);
}

}  // namespace
}  // namespace domainfusion
