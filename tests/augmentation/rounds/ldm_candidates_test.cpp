// Rounds with a real, tiny latent diffusion model of random weights.
#include "domainfusion/augmentation/rounds/ldm_candidates.h"

#include <gtest/gtest.h>

#include "augmentation/tiny_set.h"
#include "domainfusion/augmentation/rounds/round.h"
#include "domainfusion/io/files/json_lines.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

class LdmCandidatesTest : public ::testing::Test {
 protected:
  LdmCandidatesTest() {
    config_.steps = 4;
    config_.candidates = 2;
    config_.budget.budget_share = 0;
    config_.budget.images_per_round = 3;
    config_.picture_rows = 1;
  }
  LatentDiffusion model() const { return LatentDiffusion::load(kTinySd15); }
  static std::vector<RandomStream> streams(std::int64_t count) {
    std::vector<RandomStream> list;
    for (std::int64_t i = 0; i < count; ++i)
      list.emplace_back(3, "test", std::initializer_list<std::uint64_t>{std::uint64_t(i)});
    return list;
  }
  RoundConfig config_;
};

TEST_F(LdmCandidatesTest, each_candidate_depends_on_its_own_image_prompt_and_stream_alone) {
  const LdmCandidates generator(model(), config_);
  RandomStream stream(1, "test");
  const std::int64_t size = generator.image_size_px();
  const at::Tensor images = at::sigmoid(normal_tensor(stream, {2, 3, size, size}));
  const at::Tensor together = generator.candidate_latents(generator.encode(images), {"a dog", "a cat"}, streams(2));
  std::vector<RandomStream> second = streams(2);
  second.erase(second.begin());
  const at::Tensor alone = generator.candidate_latents(generator.encode(images.narrow(0, 1, 1)), {"a cat"}, second);
  EXPECT_TRUE(at::allclose(together.narrow(0, 1, 1), alone, 1e-3, 1e-4));
  EXPECT_FALSE(at::allclose(together[0], together[1], 1e-3, 1e-4));
  const at::Tensor pixels = generator.decode(together);
  EXPECT_EQ(pixels.sizes(), images.sizes());
  EXPECT_GE(pixels.min().item<double>(), 0);
  EXPECT_LE(pixels.max().item<double>(), 1);
}

TEST_F(LdmCandidatesTest, rounds_run_with_every_decomposition) {
  const auto set = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}});
  const TemporaryFolder folder;
  for (const std::string& name : decompositions().names()) {
    config_.decomposition = name;
    const LdmCandidates generator(model(), config_);
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set->class_names(),
                                   {{0, "photo"}, {1, "art painting"}}, {});
    AugmentationRounds rounds(config_, set, set->everything(), prompts, generator, folder / name, 1, 2);
    const RoundSummary summary = *rounds.run(0);
    EXPECT_EQ(summary.covered, 3) << name;
    EXPECT_EQ(summary.generated, 6) << name;
    const auto made = rounds.as_of(0);
    ASSERT_EQ(made->total(), 3 - summary.unchanged) << name;
    for (const DomainSelection& selection : made->selections({0, 1})) {
      for (std::int64_t index : selection.indices) {
        EXPECT_EQ(made->image(selection.domain, index).height, generator.image_size_px());
      }
    }
    EXPECT_TRUE(rounds.run(1).has_value());
  }
}

TEST_F(LdmCandidatesTest, inversion_serves_rounds_and_is_part_of_a_sets_identity) {
  const auto set = std::make_shared<TinySet>(std::vector<std::vector<int>>{{2, 1}, {1, 1}});
  const TemporaryFolder folder;
  const auto run = [&](const std::string& name) {
    const LdmCandidates generator(model(), config_);
    const CandidatePrompts prompts(config_.prompt_template, config_.negative_prompt, set->class_names(),
                                   {{0, "photo"}, {1, "art painting"}}, {});
    AugmentationRounds rounds(config_, set, set->everything(), prompts, generator, folder / name, 1, 1);
    const RoundSummary summary = *rounds.run(0);
    EXPECT_EQ(summary.covered, 3);
    EXPECT_EQ(summary.generated, 6);  // an inversion is no image
    return read_json_lines(folder / name / "manifest.jsonl");
  };
  const auto plain = run("img2img");
  EXPECT_FALSE(plain[0]["identity"]["options"].contains("mode"));  // as it was before there was a choice
  config_.mode = GenerationMode::kInversion;
  const auto inverted = run("inversion");
  EXPECT_EQ(inverted[0]["identity"]["options"]["mode"], "inversion");
  EXPECT_NE(plain[1]["style_similarities"], inverted[1]["style_similarities"]);
  EXPECT_THROW(run("img2img"), ConfigError);
}

TEST_F(LdmCandidatesTest, options_that_cannot_work_are_config_errors) {
  config_.scheduler = "dddim";
  EXPECT_THROW(LdmCandidates(model(), config_), ConfigError);
  config_.scheduler = "ddim";
  config_.strength = 0.1;
  EXPECT_THROW(LdmCandidates(model(), config_), ConfigError);
  config_.strength = 0.5;
  config_.mode = GenerationMode::kInversion;
  config_.scheduler = "euler";
  EXPECT_THROW(LdmCandidates(model(), config_), ConfigError);
}

}  // namespace
}  // namespace domainfusion
