// Ranks of every algorithm in the registry end with the weights of one process.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "distributed/thread_ranks.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

// Adam turns what rounding leaves of a gradient near zero into a step of its learning rate: a small one keeps that
// apart from faults.
const std::vector<std::string> kSmallSteps{"optimizer.lr=0.0005"};

class RanksContract : public testing::TestWithParam<std::string> {
 protected:
  static void SetUpTestSuite() {
    if (!why_no_ranks().empty()) GTEST_SKIP() << why_no_ranks();
  }
  // A run by so many ranks in one folder.
  void ranked_run(int size, const std::string& folder, RunMode mode = RunMode::kNew) {
    expect_no_faults(on_ranks(size, [&](Ranks&) {
      at::set_num_threads(1);
      EXPECT_TRUE(toy_run(GetParam(), folder_ / folder, std::make_shared<ToyDataset>(), mode, kSmallSteps));
    }));
  }
  // Of all tensors of two models together: the distance, in units of the root mean square.
  static double distance(const std::filesystem::path& a, const std::filesystem::path& b) {
    const TensorMap of_a = load_tensors(a), of_b = load_tensors(b);
    EXPECT_EQ(of_a.size(), of_b.size());
    double apart = 0, square = 0, count = 0;
    for (const auto& [name, tensor] : of_a) {
      if (!tensor.is_floating_point()) continue;
      const at::Tensor other = of_b.at(name).to(at::kDouble), own = tensor.to(at::kDouble);
      apart = std::max(apart, (own - other).abs().max().item<double>());
      square += own.square().sum().item<double>();
      count += static_cast<double>(own.numel());
    }
    return apart / std::sqrt(square / count);
  }
  TemporaryFolder folder_;
};

}  // namespace

TEST_P(RanksContract, TwoAndFourRanksEndWithTheWeightsOfOne) {
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "one", std::make_shared<ToyDataset>(), RunMode::kNew, kSmallSteps));
  for (const int size : {2, 4}) {
    const std::string folder = "of" + std::to_string(size);
    ranked_run(size, folder);
    for (const char* file : {"checkpoint.safetensors", "best.safetensors"})
      EXPECT_LT(distance(folder_ / "one" / file, folder_ / folder / file), 1e-4) << size << " ranks, " << file;
    const auto one = timeless_records(folder_ / "one"), ranked = timeless_records(folder_ / folder);
    ASSERT_EQ(one.size(), ranked.size());
    for (std::size_t i = 0; i < one.size(); ++i) {
      EXPECT_EQ(one[i].at("type"), ranked[i].at("type"));
      if (one[i].contains("loss")) EXPECT_NEAR(one[i]["loss"].get<double>(), ranked[i]["loss"].get<double>(), 1e-3);
      if (one[i].contains("accuracy") && one[i].at("type") == "step")
        EXPECT_NEAR(one[i]["accuracy"].get<double>(), ranked[i]["accuracy"].get<double>(), 1e-9);
    }
  }
}

TEST_P(RanksContract, ARunGoesOnWithAnotherNumberOfRanks) {
  ASSERT_TRUE(toy_run(GetParam(), folder_ / "one", std::make_shared<ToyDataset>(), RunMode::kNew, kSmallSteps));
  EXPECT_FALSE(toy_run(GetParam(), folder_ / "run", stopped_at_read(40), RunMode::kNew, kSmallSteps));
  ranked_run(2, "run", RunMode::kResume);
  for (const char* file : {"checkpoint.safetensors", "best.safetensors"})
    EXPECT_LT(distance(folder_ / "one" / file, folder_ / "run" / file), 1e-4) << file;
}

INSTANTIATE_TEST_SUITE_P(Registry, RanksContract, testing::ValuesIn(algorithms().names()),
                         [](const auto& info) { return info.param; });

TEST(RanksOfErm, PartsOfABatchAreThoseOfOneProcess) {
  const TemporaryFolder folder;
  const std::vector<std::string> parts{"loader.batch_size=16", "optimizer.name=sgd",
                                       "optimizer.lr=0.01",    "optimizer.accumulation_steps=2",
                                       "averaging.method=ema", "averaging.batch_norm_steps=2"};
  ASSERT_TRUE(toy_run("erm", folder / "one", std::make_shared<ToyDataset>(), RunMode::kNew, parts));
  expect_no_faults(on_ranks(2, [&](Ranks&) {
    EXPECT_TRUE(toy_run("erm", folder / "two", std::make_shared<ToyDataset>(), RunMode::kNew, parts));
  }));
  const auto one = load_tensors(folder / "one/ema.safetensors"), two = load_tensors(folder / "two/ema.safetensors");
  for (const auto& [name, tensor] : one) {
    if (tensor.is_floating_point()) EXPECT_LT((tensor - two.at(name)).abs().max().item<double>(), 1e-4) << name;
  }
}

}  // namespace domainfusion
