#include "domainfusion/training/algorithms/mixing/mode.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <set>

#include "domainfusion/augmentation/styles/adain.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/io/files/atomic_file.h"
#include "tiny_models.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

const at::Tensor kDomainOfRow = torch::tensor({0, 0, 1, 1, 1, 3}, torch::kLong);

class ModeRun : public testing::TestWithParam<std::string> {
 protected:
  std::vector<nlohmann::json> steps_of(const std::vector<std::string>& overrides) {
    std::vector<nlohmann::json> steps;
    EXPECT_TRUE(toy_run(GetParam(), folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kOverwrite, overrides));
    for (const auto& record : read_json_lines(folder_ / "run" / "records.jsonl")) {
      if (record.at("type") == "step") steps.push_back(record);
    }
    return steps;
  }
  TemporaryFolder folder_;
};

std::string refusal(const std::string& algorithm, const std::vector<std::string>& overrides) {
  TemporaryFolder folder;
  try {
    toy_run(algorithm, folder / "run", std::make_shared<ToyDataset>(), RunMode::kNew, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "not refused";
}

}  // namespace

TEST(ModeStyles, BeginWithTheImagesOwnAndGoOnAtRandom) {
  const at::Tensor index = random_styles(6, 40, {1, "mode"});
  EXPECT_TRUE(torch::equal(index.select(1, 0), torch::arange(6)));
  EXPECT_TRUE(torch::equal(std::get<0>(torch::_unique(index.narrow(1, 1, 39))), torch::arange(6)));
  EXPECT_TRUE(torch::equal(index, random_styles(6, 40, {1, "mode"})));
  EXPECT_FALSE(torch::equal(index, random_styles(6, 40, {2, "mode"})));
}

TEST(ModeStyles, AreOneOfEachDomainWhereThereIsOneForEach) {
  std::set<std::int64_t> in_place_of_the_absent;
  for (std::uint64_t step = 0; step < 20; ++step) {
    const at::Tensor index = styles_of_each_domain(kDomainOfRow, 4, 5, {1, "mode", {step}});
    for (std::int64_t i = 0; i < 6; ++i) {
      EXPECT_EQ(index[i][0].item<std::int64_t>(), i);
      for (const std::int64_t d : {0, 1, 3}) EXPECT_EQ(kDomainOfRow[index[i][d + 1]].item<std::int64_t>(), d);
      in_place_of_the_absent.insert(index[i][3].item<std::int64_t>());
    }
  }
  EXPECT_EQ(in_place_of_the_absent.size(), 6u);
}

TEST(ModeStyles, AreRandomWithAnotherNumberOfThem) {
  EXPECT_TRUE(torch::equal(styles_of_each_domain(kDomainOfRow, 4, 6, {1, "mode"}), random_styles(6, 6, {1, "mode"})));
}

TEST_P(ModeRun, TheLossIsThatOfRawAndRestyledImagesWithTheirWeights) {
  for (const auto& step : steps_of({"mode.beta=0.3"})) {
    const double sum = 0.7 * step.at("loss_raw").get<double>() + 0.3 * step.at("loss_styled").get<double>();
    EXPECT_NEAR(step.at("loss").get<double>(), sum, 1e-5);
  }
}

TEST_P(ModeRun, TheSearchRaisesTheLoss) {
  double raised = 0;
  for (const auto& step : steps_of({"mode.move_steps=6", "mode.move_rate=0.02"})) {
    raised += step.at("loss_search_last").get<double>() - step.at("loss_search_first").get<double>();
  }
  EXPECT_GT(raised, 0);
}

TEST_P(ModeRun, TheSearchIsNoBatchForBatchNorm) {
  steps_of({});
  for (const auto& [name, tensor] : load_tensors(folder_ / "run" / "checkpoint.safetensors")) {
    if (name.ends_with("num_batches_tracked")) {
      EXPECT_EQ(tensor.item<std::int64_t>(), 9) << name;
    }
  }
}

TEST_P(ModeRun, BatchesInPartsAreRefused) {
  EXPECT_NE(refusal(GetParam(), {"optimizer.accumulation_steps=2"}).find("in parts"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Methods, ModeRun, testing::Values("mode_f", "mode_a"),
                         [](const auto& info) { return info.param; });

TEST(ModeF, WithoutAShareOfOtherStylesRestyledImagesAreTheRawOnes) {
  TemporaryFolder folder;
  ASSERT_TRUE(toy_run("mode_f", folder / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                      {"mode.gamma=0", "classifier.dropout=0"}));
  for (const auto& step : read_json_lines(folder / "run" / "records.jsonl")) {
    if (step.at("type") != "step") continue;
    EXPECT_NEAR(step.at("loss_raw").get<double>(), step.at("loss_styled").get<double>(), 1e-4);
  }
}

TEST(ModeA, NeedsAnLdmThatDidNotSeeTheTestDomain) {
  EXPECT_NE(refusal("mode_a", {"ldm=\"\""}).find("mode_a needs a latent diffusion model"), std::string::npos);
  TemporaryFolder folder;
  std::filesystem::copy(kTinySd15, folder / "ldm", std::filesystem::copy_options::recursive);
  const nlohmann::json provenance{{"domains", {"red"}}, {"image_hashes", nlohmann::json::array()}};
  write_file_atomically(folder / "ldm" / "domainfusion.json", provenance.dump());
  EXPECT_NE(refusal("mode_a", {"ldm=" + (folder / "ldm").string()}).find("trained on the test domain 'red'"),
            std::string::npos);
}

TEST(ModeA, TheGradientOfTheWeightsGoesThroughTheDecoder) {
  const LatentDiffusion ldm = LatentDiffusion::load(kTinySd15);
  torch::manual_seed(3);
  const std::int64_t size = ldm.image_size_px();
  const StyleContent parts = adain_statistics(ldm.encode(torch::rand({2, 3, size, size})).detach(), true);
  const at::Tensor index = torch::tensor({0, 1, 1, 0}, torch::kLong).view({2, 2});
  const at::Tensor cotangent = torch::randn({2, 3, size, size}) / static_cast<double>(size);
  const auto value = [&](const at::Tensor& a) {
    const at::Tensor style = mixed_styles(parts.style, index, normalised_style_weights(a));
    return (ldm.decode(apply_adain(parts.content, style)) * cotangent).sum();
  };
  const at::Tensor a = torch::full({2, 2}, 0.5).requires_grad_();
  const at::Tensor gradient = torch::autograd::grad({value(a)}, {a})[0];
  const at::Tensor direction = gradient / gradient.norm();
  const c10::NoGradGuard no_grad;
  const double difference = ((value(a + 0.05 * direction) - value(a - 0.05 * direction)) / 0.1).item<double>();
  EXPECT_NEAR(difference / gradient.norm().item<double>(), 1, 0.05);
}

}  // namespace domainfusion
