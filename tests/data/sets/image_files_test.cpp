#include "domainfusion/data/sets/image_files.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

}  // namespace

TEST(ImageFiles, ArePicturesOfAllFoldersBelowInByteOrder) {
  const TemporaryFolder folder;
  for (const char* name : {"b/2.png", "b/10.JPG", "a.webp", "x.txt", ".hidden.png", ".cache/y.png", "__MACOSX/z.png"})
    folder.write(name, "x");
  EXPECT_EQ(image_files_below(folder.path()), (Names{"a.webp", "b/10.JPG", "b/2.png"}));
}

TEST(ImageFiles, LinkedFoldersAreFollowed) {
  const TemporaryFolder folder, elsewhere;
  elsewhere.write("dogs/1.png", "x");
  fs::create_directory_symlink(elsewhere / "dogs", folder / "linked");
  fs::create_symlink(elsewhere / "dogs/1.png", folder / "one.png");
  EXPECT_EQ(image_files_below(folder.path()), (Names{"linked/1.png", "one.png"}));
  fs::create_directory_symlink(folder / "linked", elsewhere / "again");
  EXPECT_EQ(image_files_below(elsewhere / "again"), (Names{"1.png"}));
}

TEST(ImageFiles, LinksThatLeadBackAreReportedAndNotFollowed) {
  const TemporaryFolder folder;
  folder.write("a/1.png", "x");
  fs::create_directory_symlink(folder.path(), folder / "a/back");
  fs::create_directory_symlink(folder / "self", folder / "self");
  fs::create_symlink(folder / "self.png", folder / "self.png");
  testing::internal::CaptureStderr();
  // A link to itself has the name of a picture: whoever reads it says what it is.
  EXPECT_EQ(image_files_below(folder.path()), (Names{"a/1.png", "self.png"}));
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("1 link(s) lead to nothing: " + (folder / "self").string()), std::string::npos) << said;
  EXPECT_NE(said.find("1 link(s) to a folder above them are not followed: " + (folder / "a/back").string()),
            std::string::npos)
      << said;
}

TEST(ImageFiles, AFolderThatCannotBeListedIsAnErrorThatNamesIt) {
  const TemporaryFolder folder;
  EXPECT_NE(message_of<IoError>([&] { image_files_below(folder / "none"); }).find("none: cannot be listed: No such"),
            std::string::npos);
}

}  // namespace domainfusion
