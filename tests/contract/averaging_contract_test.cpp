// What every method of weight averaging in the registry must keep to.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/evaluation/models/trained_model.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class AveragingContract : public testing::TestWithParam<std::string> {
 protected:
  std::vector<std::string> options(std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"averaging.method=" + GetParam(), "averaging.batch_norm_steps=3",
                               "averaging.stop_when_dead=false", "checkpoint_frequency=1", "averaging.n_converge=2"});
    return more;
  }
  std::string model_file() const { return GetParam() + ".safetensors"; }
  TemporaryFolder folder_;
};

std::vector<std::string> names() { return averaging_methods().names(); }

}  // namespace

TEST_P(AveragingContract, OneRunYieldsTheFiguresOfBothModels) {
  ASSERT_TRUE(toy_run("erm", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options()));
  RunResult run = read_run(folder_ / "run");
  ASSERT_TRUE(run.test && run.average_test && run.average_validation);
  EXPECT_EQ(run.average_test->model, GetParam());
  EXPECT_EQ(run.average_test->domain, "red");
  EXPECT_EQ(run.validations.size(), 9u);
  EXPECT_NE(describe_run(run).find("erm + " + GetParam() + " on 'red', never seen in training"), std::string::npos);
  EXPECT_TRUE(run.finished());
  run.average_test.reset();
  EXPECT_FALSE(run.finished()) << "it was stopped before the average was tested";
}

TEST_P(AveragingContract, TheSavedModelGivesTheRecordedAnswers) {
  ASSERT_TRUE(toy_run("erm", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options()));
  TrainedModel model = load_trained_model(folder_ / "run", GetParam());
  const ToyDataset set;
  const Split split = holdout_split(set.size(2), 0, 2);
  const Figures figures = evaluate_images([&](const at::Tensor& image) { return model.classifier->forward(image); },
                                          set, 2, split.in, model.config.loader.image_size_px, at::kCPU);
  EXPECT_EQ(figures.accuracy(), read_run(folder_ / "run").average_test->accuracy);
}

TEST_P(AveragingContract, ThePlainModelIsThatOfARunWithoutAveraging) {
  ASSERT_TRUE(toy_run("erm", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options()));
  ASSERT_TRUE(toy_run("erm", folder_ / "plain", std::make_shared<ToyDataset>(), RunMode::kNew,
                      options({"averaging.method=none"})));
  EXPECT_TRUE(read_file(folder_ / "run/best.safetensors") == read_file(folder_ / "plain/best.safetensors"));
  EXPECT_EQ(read_run(folder_ / "run").test->confusion, read_run(folder_ / "plain").test->confusion);
  EXPECT_FALSE(read_file(folder_ / "run/best.safetensors") == read_file(folder_ / "run" / model_file()));
}

TEST_P(AveragingContract, AStoppedAndResumedRunEqualsAnUninterruptedOne) {
  ASSERT_TRUE(toy_run("erm", folder_ / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, options()));
  for (const int reads : {30, 100, 140}) {
    const auto path = folder_ / ("stopped" + std::to_string(reads));
    EXPECT_FALSE(toy_run("erm", path, stopped_at_read(reads), RunMode::kNew, options()));
    ASSERT_TRUE(toy_run("erm", path, std::make_shared<ToyDataset>(), RunMode::kResume, options()));
    expect_same_run(folder_ / "whole", path, {"checkpoint.safetensors", "best.safetensors", model_file()});
  }
}

TEST_P(AveragingContract, AFinishedRunThatIsResumedSaysTheSameOnceMore) {
  ASSERT_TRUE(toy_run("erm", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options()));
  const auto records = timeless_records(folder_ / "run");
  ASSERT_TRUE(toy_run("erm", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kResume, options()));
  EXPECT_EQ(timeless_records(folder_ / "run"), records);
}

INSTANTIATE_TEST_SUITE_P(Registry, AveragingContract, testing::ValuesIn(names()),
                         [](const auto& info) { return info.param; });

}  // namespace domainfusion
