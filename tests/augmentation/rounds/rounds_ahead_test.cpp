// What is made ahead of a run is what the run would have made.
#include "domainfusion/augmentation/rounds/rounds_ahead.h"

#include <gtest/gtest.h>

#include "augmentation/tiny_rounds.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"

namespace domainfusion {
namespace {

// Three rounds of seven of twelve images: the later ones start from images of the earlier ones.
class RoundsAheadTest : public testing::Test, protected TinyRounds {
 protected:
  std::unique_ptr<StoredCandidates> stored(const std::string& store) {
    auto inner = std::make_unique<TinyGenerator>();
    made_ = &inner->made;
    return std::make_unique<StoredCandidates>(std::move(inner), nlohmann::json{{"strength", 0.5}},
                                              CandidateStore(folder_ / store), folder_ / (store + ".jsonl"));
  }
  AugmentationRounds rounds_over(const StoredCandidates& candidates, const std::string& folder) {
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set_->class_names(), descriptions_,
                                   {}, config_.styles.styles, config_.style_mix);
    return AugmentationRounds(config_, set_, set_->everything(), prompts, candidates, folder_ / folder, 4, 3);
  }
  std::set<std::string> keys(const std::string& store) {
    std::set<std::string> names;
    for_each_provenance(folder_ / store, [&](const nlohmann::json& entry) {
      names.insert(entry.at("sha256").get<std::string>() + entry.at("file").get<std::string>());
    });
    return names;
  }
  std::int64_t* made_ = nullptr;
};

}  // namespace

TEST_F(RoundsAheadTest, ARunFindsAllOfItsCandidates) {
  const auto own = stored("own");
  AugmentationRounds alone = rounds_over(*own, "alone");
  for (std::int64_t round = 0; round < 3; ++round) alone.run(round);

  const auto ahead = stored("ahead");
  AugmentationRounds scratch = rounds_over(*ahead, "scratch");
  RoundsAhead work(scratch, *ahead, folder_ / "ahead", "rounds");
  write_job(folder_ / "ahead", work.job());
  int asked = 0;
  EXPECT_FALSE(work.make({[&] { return ++asked == 3; }}));
  const auto missing = missing_of_job(CandidateStore(folder_ / "ahead"), jobs_of_store(folder_ / "ahead").at(0));
  EXPECT_LT(missing, work.job().candidates);
  EXPECT_GT(missing, 0);
  EXPECT_EQ(work.make({}), missing);
  EXPECT_EQ(work.make({}), 0);
  EXPECT_EQ(keys("ahead"), keys("own"));
  EXPECT_EQ(missing_of_job(CandidateStore(folder_ / "ahead"), jobs_of_store(folder_ / "ahead").at(0)), 0);

  const auto found = stored("ahead");
  AugmentationRounds run = rounds_over(*found, "run");
  for (std::int64_t round = 0; round < 3; ++round) run.run(round);
  EXPECT_EQ(*made_, 0);
  EXPECT_EQ(images_below("run"), images_below("alone"));
}

TEST_F(RoundsAheadTest, AUnitWhoseCandidateIsGoneIsMadeAgain) {
  const auto ahead = stored("ahead");
  AugmentationRounds scratch = rounds_over(*ahead, "scratch");
  RoundsAhead work(scratch, *ahead, folder_ / "ahead", "rounds");
  work.make({});
  const std::set<std::string> whole = keys("ahead");
  const auto unit = unit_of_job(folder_ / "ahead", work.job(), "round-0001-group-000000");
  ASSERT_TRUE(unit);
  std::filesystem::remove(CandidateStore(folder_ / "ahead").path(unit->front(), ".json"));
  EXPECT_EQ(work.make({}), 9);
  EXPECT_EQ(keys("ahead"), whole);
}

}  // namespace domainfusion
