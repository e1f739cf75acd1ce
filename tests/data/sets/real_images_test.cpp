// The set on real photographs and paintings: PACS scaled to 128 px, below the folder that DOMAINFUSION_PACS128_DIR
// names. It is not part of the project; without it these tests say that they are left out.

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "domainfusion/data/protocol/split.h"
#include "domainfusion/data/sets/folder_dataset.h"
#include "domainfusion/data/sets/known_datasets.h"

namespace domainfusion {
namespace {

class RealImages : public testing::Test {
 protected:
  void SetUp() override {
    const char* folder = std::getenv("DOMAINFUSION_PACS128_DIR");
    if (folder == nullptr) GTEST_SKIP() << "left out: DOMAINFUSION_PACS128_DIR is not set";
    dataset_ = std::make_unique<FolderDataset>(folder, FolderOptions{true});
  }
  std::unique_ptr<FolderDataset> dataset_;
};

}  // namespace

TEST_F(RealImages, EveryImageDecodesAndTheDomainsHaveTheirPublishedSizes) {
  EXPECT_TRUE(dataset_->broken().empty());
  EXPECT_TRUE(dataset_->remarks().empty());
  EXPECT_EQ(dataset_->number_of_classes(), 7);
  const std::map<std::string, std::int64_t> sizes{
      {"art_painting", 2048}, {"cartoon", 2344}, {"photo", 1670}, {"sketch", 3929}};
  for (std::int64_t d = 0; d < dataset_->number_of_domains(); ++d) {
    EXPECT_EQ(dataset_->size(d), sizes.at(dataset_->domain_names()[static_cast<std::size_t>(d)]));
    EXPECT_EQ(dataset_->image(d, 0).width, 128);
  }
}

TEST_F(RealImages, TheSetIsKnownByItsDomainsAndClasses) {
  const KnownDataset* known = find_known_dataset(dataset_->domain_names(), dataset_->class_names());
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->name, "PACS");
  EXPECT_EQ(PromptWords(dataset_->domain_names(), dataset_->class_names()).domain("cartoon"), "cartoon, cartoonish");
}

TEST_F(RealImages, TheFirstValidationImageOfArtIsDomainBeds) {
  const Split split = holdout_split(dataset_->size(0), 0, 0);
  EXPECT_EQ(split.out[0], 548);
  EXPECT_EQ(dataset_->info(0, 548).domain, 0);
}

}  // namespace domainfusion
