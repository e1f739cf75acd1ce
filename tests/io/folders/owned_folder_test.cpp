#include "domainfusion/io/folders/owned_folder.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const OwnedFolder::Kind kKind{"run folder", "run.json"};
const json kOld{{"lr", 0.1}}, kNewer{{"lr", 0.2}};

class Owned : public testing::Test {
 protected:
  fs::path path() const { return place_ / "run"; }
  // A whole result of the old description.
  void make_old() const {
    OwnedFolder folder(path(), FolderMode::kNew, kKind);
    folder.begin(kOld);
    place_.write("run/records.jsonl", "old\n");
    place_.write("run/synthetic/a.png", "picture");
    folder.keep();
  }
  void expect_old() const {
    EXPECT_EQ(OwnedFolder(path(), FolderMode::kResume, kKind).description(), kOld);
    EXPECT_EQ(read_file(path() / "records.jsonl"), "old\n");
    EXPECT_EQ(read_file(path() / "synthetic/a.png"), "picture");
    EXPECT_EQ(names(), (std::set<std::string>{"lock", "records.jsonl", "run.json", "synthetic"}));
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(path())) found.insert(entry.path().filename());
    return found;
  }
  std::string refusal(FolderMode mode) const {
    return message_of<ConfigError>([&] { OwnedFolder(path(), mode, kKind); });
  }
  TemporaryFolder place_;
};

}  // namespace

TEST_F(Owned, AResultIsContinuedOrReplacedOnlyWhereThatIsAsked) {
  make_old();
  EXPECT_NE(refusal(FolderMode::kNew).find("--resume to continue"), std::string::npos) << refusal(FolderMode::kNew);
  EXPECT_NE(refusal(FolderMode::kNew).find("--overwrite"), std::string::npos);
  expect_old();
  OwnedFolder folder(path(), FolderMode::kResume, kKind);
  EXPECT_TRUE(folder.resumed());
  folder.begin_or_continue(kOld);
  const std::string message = message_of<ConfigError>([&] { folder.begin_or_continue(kNewer); });
  EXPECT_NE(message.find("lr was 0.1, is 0.2"), std::string::npos) << message;
}

TEST_F(Owned, AFolderOfOtherThingsIsLeftAsItIs) {
  place_.write("run/precious.jpg", "x");
  for (const FolderMode mode : {FolderMode::kNew, FolderMode::kResume, FolderMode::kOverwrite}) {
    EXPECT_NE(refusal(mode).find("holds no run.json"), std::string::npos) << refusal(mode);
  }
  EXPECT_EQ(names(), std::set<std::string>{"precious.jpg"});
}

TEST_F(Owned, OneProcessAtATimeHasIt) {
  const OwnedFolder first(path(), FolderMode::kNew, kKind);
  const std::string message = message_of<IoError>([&] { OwnedFolder(path(), FolderMode::kResume, kKind); });
  EXPECT_NE(message.find("in use by another process"), std::string::npos) << message;
}

TEST_F(Owned, WhatWasBegunAndNotKeptIsGone) {
  OwnedFolder(path(), FolderMode::kNew, kKind).begin(kOld);
  EXPECT_FALSE(fs::exists(path()));
  fs::create_directory(path());
  OwnedFolder(path(), FolderMode::kResume, kKind).begin(kOld);
  EXPECT_TRUE(fs::is_empty(path())) << "the folder was there before";
}

TEST_F(Owned, AKillBeforeTheFirstDescriptionLeavesAFolderThatIsOpenToAll) {
  for (const FolderMode mode : {FolderMode::kNew, FolderMode::kResume, FolderMode::kOverwrite}) {
    place_.write("run/lock", "");
    place_.write("run/run.json.partial-77-0badcafe-0", "{");
    OwnedFolder folder(path(), mode, kKind);
    EXPECT_FALSE(folder.resumed());
    EXPECT_EQ(names(), std::set<std::string>{"lock"});
  }
}

TEST_F(Owned, FilesThatKilledWritersLeftAreRemovedWhereNoOtherHasTheFolder) {
  make_old();
  const auto own = place_.write("run/best.safetensors.partial-77-0badcafe-3", "half");
  const auto below = place_.write("run/synthetic/b.png.partial-77-0badcafe-4", "half");
  const auto others = place_.write("run/dsi/c.png.partial-77-0badcafe-5", "half");
  place_.write("run/dsi/lock", "");
  OwnedFolder(path(), FolderMode::kResume, kKind);
  EXPECT_FALSE(fs::exists(own));
  EXPECT_FALSE(fs::exists(below));
  EXPECT_TRUE(fs::exists(others));
  EXPECT_TRUE(fs::exists(path() / "synthetic/a.png"));
}

TEST_F(Owned, AnOverwrittenResultGoesOnceTheNewOneIsKept) {
  make_old();
  {
    OwnedFolder folder(path(), FolderMode::kOverwrite, kKind);
    EXPECT_FALSE(folder.resumed());
    folder.begin(kNewer);
    place_.write("run/checkpoint.safetensors", "new");
    folder.keep();
  }
  EXPECT_EQ(names(), (std::set<std::string>{"checkpoint.safetensors", "lock", "run.json"}));
  EXPECT_EQ(OwnedFolder(path(), FolderMode::kResume, kKind).description(), kNewer);
}

TEST_F(Owned, AnOverwrittenResultComesBackWhenTheNewOneIsRefused) {
  make_old();
  EXPECT_THROW(
      {
        OwnedFolder folder(path(), FolderMode::kOverwrite, kKind);
        folder.begin(kNewer);
        place_.write("run/records.jsonl", "new\n");
        place_.write("run/checkpoint.safetensors", "new");
        throw ConfigError("refused");
      },
      ConfigError);
  expect_old();
}

// The states between the renames and removals of an overwriting, as a kill leaves them.
TEST_F(Owned, AKillWhileOverwritingBringsTheOldResultBack) {
  const auto aside = [&](const char* name) { fs::rename(path() / name, path() / ".replaced" / name); };
  for (int done = 0; done < 6; ++done) {
    make_old();
    fs::create_directory(path() / ".replaced");
    if (done >= 1) aside("run.json");
    if (done >= 2) aside("records.jsonl");
    if (done >= 3) aside("synthetic");
    if (done >= 4) place_.write("run/run.json", kNewer.dump());
    if (done >= 5) place_.write("run/records.jsonl", "new\n");
    expect_old();
    // The same on the way back, when another kill came.
    fs::create_directory(path() / ".replaced");
    aside("run.json");
    aside("synthetic");
    expect_old();
    fs::remove_all(path());
  }
}

TEST_F(Owned, AKillWhileTheReplacedResultIsRemovedLeavesTheNewOne) {
  make_old();
  place_.write("run/.replaced/checkpoint.safetensors", "older");
  expect_old();
}

}  // namespace domainfusion
