#include "domainfusion/diffusion/text/bpe_training.h"

#include <gtest/gtest.h>

#include "domainfusion/diffusion/text/clip_tokenizer.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(BpeTraining, EnoughMergesMakeEveryWordOneToken) {
  const TemporaryFolder folder;
  write_tokenizer_folder(folder.path(), train_bpe({"a dog, art painting", "a giraffe, cartoon"}, 1000), 8);
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.tokenize("a giraffe, art painting").size(), 5u);
  EXPECT_EQ(tokenizer.length(), 8);
  EXPECT_EQ(tokenizer.encode("a dog").size(), 8u);
}

TEST(BpeTraining, WordsThatWereNotSeenAreStillEncoded) {
  const TemporaryFolder folder;
  write_tokenizer_folder(folder.path(), train_bpe({"a dog"}, 10), 16);
  const ClipTokenizer tokenizer = ClipTokenizer::load(folder.path());
  const auto ids = tokenizer.tokenize("zebra é");
  EXPECT_EQ(ids.size(), 7u);  // five letters, two bytes of é
  for (std::int64_t id : ids) EXPECT_NE(id, tokenizer.end_id());
}

TEST(BpeTraining, TheMostFrequentPairIsMergedFirstAndTiesGoToTheSmallest) {
  const BpeVocabulary vocabulary = train_bpe({"ab ab cd"}, 2);
  ASSERT_EQ(vocabulary.merges.size(), 2u);
  EXPECT_EQ(vocabulary.merges[0], (std::pair<std::string, std::string>("a", "b</w>")));
  EXPECT_EQ(vocabulary.merges[1], (std::pair<std::string, std::string>("c", "d</w>")));
}

}  // namespace domainfusion
