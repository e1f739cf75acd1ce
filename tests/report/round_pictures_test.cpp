#include "domainfusion/report/round_pictures.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

Image flat(std::uint8_t grey) { return {8, 8, std::vector<std::uint8_t>(8 * 8 * 3, grey)}; }

// One pictured image with three candidates, of which the second failed.
std::filesystem::path pictured_round(const TemporaryFolder& folder) {
  const auto round = folder.path() / "pictures" / "round-0000";
  std::filesystem::create_directories(round / "a");
  for (const char* name : {"raw.png", "x.png", "round_trip.png", "candidate-0.png", "candidate-2.png", "made.png"}) {
    write_png(round / "a" / name, flat(100));
  }
  const nlohmann::json row{{"folder", "a"},        {"domain_name", "photo"},
                           {"class_name", "cat"},  {"prompts", {"a cat, art", "a cat, toy", "a cat, photo"}},
                           {"style_candidate", 0}, {"content_candidate", 2}};
  std::ofstream(round / "pictures.json") << nlohmann::json::array({row});
  return round;
}

}  // namespace

TEST(RoundPictures, EveryStageStandsInItsColumnAndTheChosenOnesAreMarked) {
  const TemporaryFolder folder;
  const PictureGrid grid = round_picture_grid(pictured_round(folder));
  ASSERT_EQ(grid.rows.size(), 1u);
  const auto& cells = grid.rows[0].cells;
  ASSERT_EQ(cells.size(), 7u);
  EXPECT_EQ(grid.column_captions.back(), "new image");
  EXPECT_EQ(grid.column_captions.size(), cells.size());
  EXPECT_EQ(cells[3].caption, "*style");
  EXPECT_EQ(cells[4].caption, "toy");
  EXPECT_EQ(cells[4].image.width, 0);
  EXPECT_EQ(cells[5].caption, "*content");
}

TEST(RoundPictures, ASetWithoutPicturesGivesNoFiles) {
  const TemporaryFolder folder;
  EXPECT_TRUE(write_round_pictures(folder.path(), folder.path() / "out").empty());
  pictured_round(folder);
  EXPECT_EQ(write_round_pictures(folder.path(), folder.path() / "out").size(), 1u);
}

TEST(RoundPictures, ABrokenListIsAnErrorThatNamesTheFolder) {
  const TemporaryFolder folder;
  const auto round = pictured_round(folder);
  std::ofstream(round / "pictures.json") << "[{}]";
  try {
    round_picture_grid(round);
    FAIL();
  } catch (const FormatError& error) {
    EXPECT_NE(std::string(error.what()).find("round-0000"), std::string::npos);
  }
}

}  // namespace domainfusion
