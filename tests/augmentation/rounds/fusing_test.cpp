// The paper's step 4, recomputed from what the generator gave: which candidate's style and content a new image has, and
// from which noise the candidates came.

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "augmentation/tiny_rounds.h"
#include "domainfusion/data/transforms/image_tensor.h"

namespace domainfusion {
namespace {

// Keeps what it gave out, and the first number of each candidate's noise.
class RecordingGenerator final : public CandidateGenerator {
 public:
  explicit RecordingGenerator(TinyGenerator& inner) : inner_(inner) {}
  std::int64_t image_size_px() const override { return inner_.image_size_px(); }
  LdmIdentity ldm() const override { return inner_.ldm(); }
  at::Tensor candidate_latents(const at::Tensor& z, const std::vector<std::string>& prompts,
                               std::vector<RandomStream> noise) const override {
    for (RandomStream stream : noise) first_numbers.push_back(stream.next_u64());
    const at::Tensor made = inner_.candidate_latents(z, prompts, std::move(noise));
    for (const at::Tensor& latent : made.unbind()) latents.push_back(latent.clone());
    return made;
  }
  at::Tensor encode(const at::Tensor& image01) const override { return inner_.encode(image01); }
  at::Tensor decode(const at::Tensor& z) const override { return inner_.decode(z); }

  mutable std::vector<std::uint64_t> first_numbers;
  mutable std::vector<at::Tensor> latents;

 private:
  TinyGenerator& inner_;
};

class FusingTest : public ::testing::TestWithParam<std::string>, protected TinyRounds {
 protected:
  FusingTest() {
    config_.decomposition = GetParam();
    config_.batch_images = 1;  // the generator's candidates then stand image by image
  }
  AugmentationRounds recorded(const std::string& folder) const {
    const CandidatePrompts prompts(config_.prompt_template, "", set_->class_names(), descriptions_, {});
    return AugmentationRounds(config_, set_, set_->everything(), prompts, recording_, folder_ / folder, 4, 3);
  }
  mutable RecordingGenerator recording_{generator_};
};

}  // namespace

TEST_P(FusingTest, ANewImageHasTheStyleAndTheContentOfTheChosenCandidates) {
  // The first candidate of each image is broken: places among those that are left are not places among all.
  config_.candidates = 4;
  generator_.spoil = [](std::int64_t call, at::Tensor& latent) {
    if (call % 4 == 0) latent.fill_(std::numeric_limits<float>::quiet_NaN());
  };
  AugmentationRounds run = recorded("a");
  run.run(0);
  const auto decomposition = decompositions().make(config_.decomposition, config_.decomposition_options);
  const bool latents = decomposition->space() == Decomposition::Space::kLatents;
  const auto split = [&](const at::Tensor& z) {
    return decomposition->decompose((latents ? z : generator_.decode(z)).to(at::kDouble));
  };
  ASSERT_EQ(recording_.latents.size(), 7u * 4);
  // The walk's order is that of the groups; records stand by parent.
  const ImageWalk walk(*set_, set_->everything(), 4);
  const auto parents = walk.window(0, 7);
  int differ = 0;
  for (std::size_t place = 0; place < parents.size(); ++place) {
    const SyntheticRecord& record = *run.store().find(0, parents[place]);
    ASSERT_FALSE(record.unchanged());
    const auto candidate = [&](std::int64_t i) {
      return recording_.latents[place * 4 + static_cast<std::size_t>(i)].unsqueeze(0);
    };
    const at::Tensor x01 = image_to_tensor01(set_->image(parents[place].domain, parents[place].index)).unsqueeze(0);
    const StyleContent x = latents ? decomposition->decompose(generator_.encode(x01).to(at::kDouble))
                                   : decomposition->decompose(x01.to(at::kDouble));
    const StyleContent style = split(candidate(record.style_candidate)),
                       content = split(candidate(record.content_candidate));
    differ += record.style_candidate != record.content_candidate;
    at::Tensor expected = decomposition->fused(x, style, content).to(at::kFloat);
    if (latents) expected = generator_.decode(expected);
    const at::Tensor stored = image_to_tensor01(SyntheticStore::image(run.store().folder(), record));
    EXPECT_LT((stored - expected[0]).abs().max().item<double>(), 1.0 / 255) << record.parent_path;
  }
  EXPECT_GT(differ, 0);  // or the two could be exchanged unseen
}

TEST_P(FusingTest, EveryCandidateOfEveryRoundHasNoiseOfItsOwn) {
  AugmentationRounds run = recorded("a");
  for (std::int64_t round = 0; round < 3; ++round) run.run(round);
  const auto& numbers = recording_.first_numbers;
  ASSERT_EQ(numbers.size(), 3u * 7 * 3);
  EXPECT_EQ(std::set<std::uint64_t>(numbers.begin(), numbers.end()).size(), numbers.size());
}

INSTANTIATE_TEST_SUITE_P(Decompositions, FusingTest, ::testing::ValuesIn(decompositions().names()),
                         [](const auto& info) { return info.param; });

}  // namespace domainfusion
