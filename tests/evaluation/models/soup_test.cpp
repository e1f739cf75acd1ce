// Averages of finished runs.
#include "domainfusion/evaluation/models/soup.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/evaluation/tables/protocol_runs.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class Soup : public testing::Test {
 protected:
  std::filesystem::path finished(const std::string& name, std::vector<std::string> overrides) {
    toy_run("erm", place_ / name, std::make_shared<ToyDataset>(), RunMode::kNew, std::move(overrides));
    return place_ / name;
  }
  SoupRequest request(std::vector<std::filesystem::path> runs, SoupRecipe recipe) {
    return {.runs = std::move(runs),
            .recipe = recipe,
            .out = place_ / "soup",
            .mode = FolderMode::kOverwrite,
            .device = test_device_name(),
            .dataset = std::make_shared<ToyDataset>()};
  }
  double validation_of(const std::filesystem::path& run) {
    const RunResult result = read_run(run);
    return select_by_source_validation(result.validations)->mean_accuracy;
  }
  TemporaryFolder place_;
};

}  // namespace

TEST_F(Soup, UniformIsTheMeanOfTheWeightsAndARowOfItsOwn) {
  const auto a = finished("a", {}), b = finished("b", {"seed=1"});
  const SoupResult result = make_soup(request({a, b}, SoupRecipe::kUniform));
  EXPECT_EQ(result.members.size(), 2u);
  const TensorMap of_a = load_tensors(a / "best.safetensors"), of_b = load_tensors(b / "best.safetensors");
  for (const auto& [name, mean] : load_tensors(place_ / "soup/best.safetensors")) {
    if (!mean.is_floating_point()) continue;
    EXPECT_TRUE(torch::allclose(mean, (of_a.at(name) + of_b.at(name)) / 2, 1e-5, 1e-7)) << name;
  }
  const FoundRuns found = find_runs({place_ / "soup"});
  ASSERT_EQ(found.runs.size(), 1u);
  EXPECT_EQ(found.runs.front().algorithm, "ERM + uniform soup");
  ASSERT_EQ(found.runs.front().records.size(), 1u);
  EXPECT_EQ(found.runs.front().records.front().in_acc[2], result.target_accuracy);
  EXPECT_NO_THROW(load_trained_model(place_ / "soup"));
}

TEST_F(Soup, GreedyIsNoWorseOnTheSourcesThanItsBestMember) {
  const auto a = finished("a", {}), b = finished("b", {"seed=1"}), c = finished("c", {"seed=2", "optimizer.lr=0.5"});
  const SoupResult result = make_soup(request({a, b, c}, SoupRecipe::kGreedy));
  EXPECT_GE(result.source_accuracy, std::max({validation_of(a), validation_of(b), validation_of(c)}) - 1e-9);
  EXPECT_GE(result.members.size(), 1u);
}

TEST_F(Soup, RunsThatShareNoGroundAreRefused) {
  const auto a = finished("a", {}), wide = finished("wide", {"classifier.width=8"});
  const auto other = finished("other", {"test_domain=blue"}), split = finished("split", {"trial_seed=1"});
  for (const auto& foreign : {wide, other, split}) {
    EXPECT_THROW(make_soup(request({a, foreign}, SoupRecipe::kUniform)), ConfigError) << foreign;
  }
  EXPECT_THROW(make_soup(request({a}, SoupRecipe::kUniform)), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(place_ / "soup"));
}

}  // namespace domainfusion
