#include "domainfusion/data/sets/relabelled_dataset.h"

#include <gtest/gtest.h>

#include "data/made_dataset.h"
#include "temporary_folder.h"

namespace domainfusion {

// MadeDataset has cat (0) and dog (1) in turn.
TEST(RelabelledDataset, LabelsAreTheModelsAndImagesOfOtherClassesAreLeftOut) {
  const auto made = std::make_shared<MadeDataset>(std::vector<std::int64_t>{5, 4});
  const RelabelledDataset set(made, {"bird", "Dog"});
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"bird", "Dog"}));
  EXPECT_EQ(set.domain_names(), made->domain_names());
  ASSERT_EQ(set.size(0), 2);
  EXPECT_EQ(set.size(1), 2);
  EXPECT_EQ(set.info(0, 1).path, "a/dog/3.png");
  EXPECT_EQ(set.info(0, 1).label, 1);
  EXPECT_EQ(set.image(0, 1), made->image(0, 3));
  EXPECT_EQ(set.file_hash(0, 1), made->file_hash(0, 3));
  EXPECT_EQ(set.absent_classes(), (std::vector<std::string>{"bird"}));
  EXPECT_EQ(set.left_out(), (std::map<std::string, std::int64_t>{{"cat", 5}}));
}

TEST(RelabelledDataset, ASetWithoutAnyOfTheClassesIsAnErrorThatNamesBoth) {
  const auto made = std::make_shared<MadeDataset>(std::vector<std::int64_t>{2});
  const std::string message = message_of<ConfigError>([&] { RelabelledDataset(made, {"bird", "cow"}); });
  EXPECT_NE(message.find("(cat, dog)"), std::string::npos) << message;
  EXPECT_NE(message.find("(bird, cow)"), std::string::npos) << message;
}

}  // namespace domainfusion
