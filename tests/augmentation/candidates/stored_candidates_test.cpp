#include "domainfusion/augmentation/candidates/stored_candidates.h"

#include <gtest/gtest.h>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/candidates/store_upkeep.h"
#include "domainfusion/augmentation/rounds/round.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

class StoredCandidatesTest : public testing::Test {
 protected:
  // A generator over the store, and the one below it, which counts what it makes.
  struct Wrapped {
    TinyGenerator* inner;
    std::unique_ptr<StoredCandidates> outer;
  };
  Wrapped wrapped(const nlohmann::json& options = {{"strength", 0.5}}) const {
    auto inner = std::make_unique<TinyGenerator>();
    TinyGenerator* const pointer = inner.get();
    return {pointer, std::make_unique<StoredCandidates>(std::move(inner), options, CandidateStore(folder_ / "store"),
                                                        folder_ / "list.jsonl")};
  }
  static std::vector<RandomStream> streams(std::size_t count, std::uint64_t seed = 3) {
    std::vector<RandomStream> list;
    for (std::size_t i = 0; i < count; ++i) list.emplace_back(seed, "test", std::initializer_list<std::uint64_t>{i});
    return list;
  }
  TemporaryFolder folder_;
  at::Tensor z_ = at::arange(3 * 3 * 6 * 6, at::kFloat).reshape({3, 3, 6, 6}) / 324;
  std::vector<std::string> prompts_{"a", "b", "c"};
};

}  // namespace

TEST_F(StoredCandidatesTest, GiveTheBitsOfTheGeneratorAndMakeNothingTwice) {
  const at::Tensor plain = TinyGenerator().candidate_latents(z_, prompts_, streams(3));
  const Wrapped first = wrapped(), second = wrapped();
  EXPECT_TRUE(at::equal(first.outer->candidate_latents(z_, prompts_, streams(3)), plain));
  EXPECT_EQ(first.inner->made, 3);
  EXPECT_TRUE(at::equal(second.outer->candidate_latents(z_, prompts_, streams(3)), plain));
  EXPECT_EQ(second.inner->made, 0);
  const auto groups = groups_of_store(folder_ / "store");
  ASSERT_EQ(groups.size(), 1u);
  EXPECT_EQ(groups[0].purpose, "round");
  EXPECT_EQ(keys_in_list(folder_ / "list.jsonl").size(), 3u);
}

TEST_F(StoredCandidatesTest, OnlyWhatAGroupLacksIsMade) {
  wrapped().outer->candidate_latents(z_.narrow(0, 0, 2), {"a", "b"}, streams(2));
  const Wrapped generator = wrapped();
  const at::Tensor all = generator.outer->candidate_latents(z_, prompts_, streams(3));
  EXPECT_EQ(generator.inner->seen_prompts, std::vector<std::string>{"c"});
  EXPECT_TRUE(at::equal(all, TinyGenerator().candidate_latents(z_, prompts_, streams(3))));
}

TEST_F(StoredCandidatesTest, OtherLatentsPromptsNoiseOrOptionsAreOtherCandidates) {
  wrapped().outer->candidate_latents(z_, prompts_, streams(3));
  const auto made = [&](const Wrapped& generator, const at::Tensor& z, const std::vector<std::string>& prompts,
                        std::uint64_t seed) {
    generator.outer->candidate_latents(z, prompts, streams(3, seed));
    return generator.inner->made;
  };
  EXPECT_EQ(made(wrapped(), z_, prompts_, 3), 0);
  EXPECT_EQ(made(wrapped(), z_ + 1, prompts_, 3), 3);
  EXPECT_EQ(made(wrapped(), z_, {"a", "b", "d"}, 3), 1);
  EXPECT_EQ(made(wrapped(), z_, prompts_, 4), 3);
  EXPECT_EQ(made(wrapped({{"strength", 0.6}}), z_, prompts_, 3), 3);
}

TEST_F(StoredCandidatesTest, ATornEntryIsMadeAgain) {
  const at::Tensor whole = wrapped().outer->candidate_latents(z_, prompts_, streams(3));
  const std::string key = *keys_in_list(folder_ / "list.jsonl").begin();
  std::filesystem::resize_file(CandidateStore(folder_ / "store").path(key, ".safetensors"), 100);
  const Wrapped generator = wrapped();
  EXPECT_TRUE(at::equal(generator.outer->candidate_latents(z_, prompts_, streams(3)), whole));
  EXPECT_EQ(generator.inner->made, 1);
}

TEST_F(StoredCandidatesTest, RoundsOverAStoreMakeTheSetOfRoundsWithoutOne) {
  const auto set = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}});
  RoundConfig config;
  config.candidates = 2;
  config.budget.budget_share = 0;
  const auto manifest_of = [&](const CandidateGenerator& generator, const std::string& name) {
    const CandidatePrompts prompts(config.prompt_template, "", set->class_names(), {{0, "photo"}, {1, "painting"}}, {});
    AugmentationRounds rounds(config, set, set->everything(), prompts, generator, folder_ / name, 1, 2);
    for (std::int64_t round = 0; round < 2; ++round) EXPECT_TRUE(rounds.run(round));
    auto lines = read_json_lines(folder_ / name / "manifest.jsonl");
    std::erase_if(lines, [](const nlohmann::json& line) { return line.at("kind") == "round"; });  // they hold seconds
    return lines;
  };
  const Wrapped first = wrapped(), second = wrapped();
  const auto plain = manifest_of(TinyGenerator(), "plain");
  EXPECT_EQ(manifest_of(*first.outer, "first"), plain);
  EXPECT_EQ(manifest_of(*second.outer, "second"), plain);
  EXPECT_GT(first.inner->made, 0);
  EXPECT_EQ(second.inner->made, 0);
}

}  // namespace domainfusion
