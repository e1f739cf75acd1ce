#include "domainfusion/data/sets/joined_dataset.h"

#include <gtest/gtest.h>

#include "data/made_dataset.h"

namespace domainfusion {

TEST(JoinedDataset, HoldsInEachDomainTheImagesOfTheFirstThenThoseOfTheSecond) {
  const auto first = std::make_shared<MadeDataset>(std::vector<std::int64_t>{3, 1});
  const auto second = std::make_shared<MadeDataset>(std::vector<std::int64_t>{0, 4});
  const JoinedDataset joined(first, second);
  EXPECT_EQ(joined.size(0), 3);
  EXPECT_EQ(joined.size(1), 5);
  EXPECT_EQ(joined.image(1, 0), first->image(1, 0));
  EXPECT_EQ(joined.image(1, 3), second->image(1, 2));
  EXPECT_EQ(joined.info(1, 3).path, second->info(1, 2).path);
  EXPECT_EQ(joined.file_hash(1, 3), second->file_hash(1, 2));
}

TEST(JoinedDataset, OfOtherDomainsIsRefused) {
  const auto two = std::make_shared<MadeDataset>(std::vector<std::int64_t>{1, 1});
  const auto three = std::make_shared<MadeDataset>(std::vector<std::int64_t>{1, 1, 1});
  EXPECT_THROW(JoinedDataset(two, three), ConfigError);
}

}  // namespace domainfusion
