#include "domainfusion/augmentation/candidates/store_upkeep.h"

#include <gtest/gtest.h>

#include "augmentation/made_candidates.h"
#include "domainfusion/augmentation/candidates/candidate_store.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class StoreUpkeep : public testing::Test {
 protected:
  void SetUp() override {
    for (int i = 0; i < 3; ++i) store_.add_image(made_key(i), made_image(i));
    CandidateKey other = made_key(0);
    other.options["strength"] = 0.9;
    store_.add_failure(other, "black");
  }
  static void make_old(const fs::path& file) {
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(2));
  }
  TemporaryFolder folder_;
  CandidateStore store_{folder_ / "store"};
};

}  // namespace

TEST_F(StoreUpkeep, EntriesAreCountedByOptions) {
  const auto groups = groups_of_store(store_.folder());
  ASSERT_EQ(groups.size(), 2u);
  EXPECT_EQ(groups[0].purpose, "cdga");
  EXPECT_EQ(groups[0].entries, 3);
  EXPECT_EQ(groups[0].sources, 3);
  std::size_t bytes = 0;
  for (int i = 0; i < 3; ++i) bytes += encode_png(made_image(i)).size();
  EXPECT_EQ(groups[0].bytes, static_cast<std::int64_t>(bytes));
  EXPECT_EQ(groups[1].failed, 1);
}

TEST_F(StoreUpkeep, ProvenanceOfAnotherFormEndsNoList) {
  const fs::path file = store_.path(made_key(1).hash(), ".json");
  for (const char* text :
       {R"({"key": 5})", R"([])", R"({"key": {"noise": [], "ldm": 3, "source": {}}, "bytes": "x"})"}) {
    std::ofstream(file) << text;
    std::int64_t entries = 0;
    for (const StoreGroup& group : groups_of_store(store_.folder())) entries += group.entries;
    EXPECT_GE(entries, 3) << text;
    EXPECT_EQ(verify_store(store_.folder()).broken, std::vector<fs::path>{file}) << text;
  }
}

TEST_F(StoreUpkeep, VerificationNamesBrokenEntries) {
  EXPECT_TRUE(verify_store(store_.folder()).broken.empty());
  fs::resize_file(store_.path(made_key(1).hash(), ".png"), 10);
  const StoreVerification found = verify_store(store_.folder());
  EXPECT_EQ(found.entries, 4);
  EXPECT_EQ(found.broken, std::vector<fs::path>{store_.path(made_key(1).hash(), ".json")});
}

TEST_F(StoreUpkeep, WasteIsWhatIsBrokenUnusedOrLeftBehindLongAgo) {
  EXPECT_TRUE(waste_of_store(store_.folder(), std::nullopt).files().empty());
  const fs::path broken = store_.path(made_key(1).hash(), ".png"), old_part = broken.string() + ".partial-1-2-3";
  fs::resize_file(broken, 10);
  for (const auto& file : {old_part, fs::path(broken.string() + ".partial-4-5-6"), folder_ / "store/notes.txt"}) {
    std::ofstream(file) << "x";
  }
  make_old(old_part);
  const fs::path orphan = store_.path(std::string(64, 'a'), ".png");
  fs::create_directories(orphan.parent_path());
  std::ofstream(orphan) << "x";
  const StoreWaste waste = waste_of_store(store_.folder(), std::set<std::string>{made_key(0).hash()});
  EXPECT_EQ(waste.parts, std::vector<fs::path>{old_part});  // the young ones may be a living writer's
  EXPECT_EQ(waste.broken.size(), 2u);
  EXPECT_EQ(waste.unused.size(), 3u);  // the image of key 2 and its provenance; a failure
  make_old(orphan);
  EXPECT_EQ(waste_of_store(store_.folder(), std::nullopt).parts.size(), 2u);
}

TEST_F(StoreUpkeep, AFolderThatIsNotThereIsAnError) {
  EXPECT_THROW(verify_store(folder_ / "nowhere"), IoError);
  EXPECT_FALSE(fs::exists(folder_ / "nowhere"));
}

TEST_F(StoreUpkeep, AListThatNamesNoKeysIsAnError) {
  EXPECT_TRUE(keys_in_list(folder_ / "none.jsonl").empty());
  EXPECT_EQ(keys_in_list(folder_.write("good.jsonl", "{\"key\":\"k\"}\n")), std::set<std::string>{"k"});
  EXPECT_THROW(keys_in_list(folder_.write("bad.jsonl", "{\"kay\":1}\n")), FormatError);
}

}  // namespace domainfusion
