#include "domainfusion/augmentation/candidates/image_budget.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "augmentation/tiny_set.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

TEST(Budget, cdga_makes_every_image_once_for_every_other_source_domain) {
  EXPECT_EQ(cdga_images(1000, 3), 2000);
  EXPECT_EQ(cdga_images(1000, 1), 0);
}

TEST(RoundSteps, stand_every_so_many_epochs_and_never_at_the_end) {
  BudgetConfig config;
  EXPECT_EQ(round_steps(config, 10, 150), (std::vector<std::int64_t>{0, 50, 100}));
  EXPECT_EQ(round_steps(config, 10, 151), (std::vector<std::int64_t>{0, 50, 100, 150}));
  config.first_round_epoch = 2;
  EXPECT_EQ(round_steps(config, 10, 100), (std::vector<std::int64_t>{20, 70}));
  config.every_epochs = 0;
  EXPECT_EQ(round_steps(config, 10, 100), (std::vector<std::int64_t>{20}));
  config.first_round_epoch = 10;
  EXPECT_TRUE(round_steps(config, 10, 100).empty());
  EXPECT_THROW(round_steps(config, 0, 100), ConfigError);
}

TEST(RoundPlan, a_run_stays_below_its_share_of_cdgas_count) {
  BudgetConfig config;
  config.budget_share = 0.1;
  const RoundPlan plan(config, 1000, 3, 4, 3);  // CDGA 2000, 200 candidates, 50 images
  EXPECT_EQ(plan.images_of_run(), 50);
  EXPECT_EQ(plan.count(0) + plan.count(1) + plan.count(2), 50);
  EXPECT_EQ(plan.count(0), 17);
  EXPECT_EQ(plan.first(2), 34);
  EXPECT_THROW(plan.count(3), ConfigError);
}

TEST(RoundPlan, rounds_stay_below_their_own_cap_and_cover_no_image_twice) {
  BudgetConfig config;
  config.budget_share = 0;
  EXPECT_EQ(RoundPlan(config, 100, 3, 4, 5).count(3), 100);
  config.images_per_round = 30;
  EXPECT_EQ(RoundPlan(config, 100, 3, 4, 5).count(3), 30);
  config.images_per_round = 300;
  EXPECT_EQ(RoundPlan(config, 100, 3, 4, 5).count(3), 100);
  EXPECT_EQ(RoundPlan(config, 100, 3, 4, 0).images_of_run(), 0);
}

TEST(RoundPlan, a_budget_without_an_image_says_so) {
  BudgetConfig config;
  config.budget_share = 0.001;
  const std::string message = message_of<ConfigError>([&] { RoundPlan(config, 100, 3, 4, 2); });
  EXPECT_NE(message.find("budget_share"), std::string::npos) << message;
  EXPECT_NE(message.find("200"), std::string::npos) << message;
}

// Online augmentation begins before the first step, also on a small budget.
TEST(RoundPlan, a_budget_below_the_number_of_rounds_pays_for_the_first_ones) {
  BudgetConfig config;
  config.budget_share = 0.03;
  const RoundPlan plan(config, 87, 3, 4, 8);  // CDGA 174, 5 candidates, 1 image
  EXPECT_EQ(plan.images_of_run(), 1);
  EXPECT_EQ(plan.count(0), 1);
  EXPECT_FALSE(plan.is_evenly_shared());
  config.budget_share = 0.1;
  const RoundPlan four(config, 80, 3, 4, 10);  // 4 images over 10 rounds
  for (std::int64_t round = 0; round < 10; ++round)
    EXPECT_EQ(four.count(round), round == 0 || round == 2 || round == 5 || round == 7) << round;
  config.budget_share = 0;
  EXPECT_TRUE(RoundPlan(config, 80, 3, 4, 10).is_evenly_shared());
}

TEST(RoundPlan, one_source_domain_has_no_count_of_cdgas_to_take_a_share_of) {
  const std::string message = message_of<ConfigError>([] { RoundPlan({}, 100, 1, 4, 2); });
  EXPECT_NE(message.find("set it to 0"), std::string::npos) << message;
}

TEST(ImageWalk, takes_groups_in_turn_and_covers_every_image_once) {
  const TinySet set({{3, 5}, {3, 2}});
  const ImageWalk walk(set, set.everything(), 1);
  ASSERT_EQ(walk.size(), 13);
  for (std::int64_t turns : {1, 2}) {
    std::map<std::pair<std::int64_t, std::int64_t>, int> taken;
    for (const ParentId& image : walk.window(0, 4 * turns))
      ++taken[{image.domain, set.info(image.domain, image.index).label}];
    EXPECT_EQ(taken.size(), 4U);
    for (const auto& [group, count] : taken) EXPECT_EQ(count, turns);
  }
  const std::vector<ParentId> all = walk.window(7, 13);
  EXPECT_EQ(std::set<ParentId>(all.begin(), all.end()).size(), 13U);
  EXPECT_EQ(walk.window(13, 5), walk.window(0, 5));
}

TEST(ImageWalk, depends_on_the_seed_but_not_on_the_order_of_the_selection) {
  const TinySet set({{30, 20}});
  std::vector<DomainSelection> turned = set.everything();
  std::reverse(turned[0].indices.begin(), turned[0].indices.end());
  EXPECT_EQ(ImageWalk(set, set.everything(), 1).window(0, 50), ImageWalk(set, turned, 1).window(0, 50));
  EXPECT_NE(ImageWalk(set, set.everything(), 1).window(0, 50), ImageWalk(set, set.everything(), 2).window(0, 50));
}

TEST(ImageWalk, nothing_selected_is_a_config_error) {
  const TinySet set({{3, 0}});
  EXPECT_THROW(ImageWalk(set, {}, 1), ConfigError);
  EXPECT_THROW(ImageWalk(set, {{0, {}}}, 1), ConfigError);
  EXPECT_THROW(ImageWalk(set, set.everything(), 1).window(0, 4), ConfigError);
}

}  // namespace
}  // namespace domainfusion
