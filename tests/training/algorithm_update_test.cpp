// What Algorithm::update makes of a batch, whatever the loss.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/algorithms/erm.h"
#include "domainfusion/training/make_optimizer.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

struct Updated {
  StepRecord record;
  TensorMap before, after;
};

// One step on ten images of noise. Batch norm is in eval mode: its statistics would depend on how the batch is parted.
Updated updated(const std::vector<std::string>& overrides) {
  RunSetup setup = toy_setup("erm", overrides);
  TrainingContext context;
  context.config = setup.config;
  context.config.classifier.dropout = 0;
  context.classifier = Classifier(context.config.classifier, 2, 1);
  context.classifier->eval();
  const auto optimizer = make_optimizer(context.config.optimizer, context.classifier->parameters());
  context.optimizer = optimizer.get();
  setup.algorithm->prepare(context);
  torch::manual_seed(5);
  const Batch batch{torch::randn({10, 3, 16, 16}), torch::arange(10) % 2, torch::arange(10) / 5, torch::arange(10)};
  Updated result;
  for (const auto& [name, tensor] : parameters_of(*context.classifier)) result.before[name] = tensor.clone();
  result.record = setup.algorithm->update(0, batch);
  result.after = parameters_of(*context.classifier);
  return result;
}

double step_length(const Updated& u) {
  double squares = 0;
  for (const auto& [name, tensor] : u.after) squares += (tensor - u.before.at(name)).square().sum().item<double>();
  return std::sqrt(squares);
}

}  // namespace

TEST(AlgorithmUpdate, ABatchInPartsGivesTheGradientOfTheWholeUpToRounding) {
  const std::vector<std::string> sgd{"optimizer.name=sgd", "optimizer.lr=0.1"};
  const Updated whole = updated(sgd);
  for (const char* parts : {"2", "3", "10"}) {
    const Updated parted = updated({sgd[0], sgd[1], std::string("optimizer.accumulation_steps=") + parts});
    EXPECT_NEAR(parted.record.scalars.at("loss"), whole.record.scalars.at("loss"), 1e-5);
    EXPECT_EQ(parted.record.fit.images, 10);
    EXPECT_EQ(parted.record.fit.correct, whole.record.fit.correct);
    EXPECT_NEAR(parted.record.fit.loss, 10 * whole.record.scalars.at("loss"), 1e-4);
    for (const auto& [name, tensor] : whole.after) {
      EXPECT_TRUE(torch::allclose(parted.after.at(name), tensor, 1e-4, 1e-6)) << parts << " " << name;
    }
  }
  EXPECT_GT(step_length(whole), 0.01);
}

TEST(AlgorithmUpdate, AClippedGradientMakesAStepOfThatLength) {
  const std::vector<std::string> sgd{"optimizer.name=sgd", "optimizer.lr=1", "optimizer.weight_decay=0"};
  const Updated free = updated(sgd);
  const Updated clipped = updated({sgd[0], sgd[1], sgd[2], "optimizer.clip_grad_norm=0.01"});
  EXPECT_NEAR(clipped.record.scalars.at("grad_norm"), step_length(free), 1e-3 * step_length(free));
  EXPECT_NEAR(step_length(clipped), 0.01, 1e-4);
  EXPECT_FALSE(free.record.scalars.contains("grad_norm"));
}

TEST(AlgorithmUpdate, MorePartsThanImagesOrALossThatCannotBePartedAreRefused) {
  TemporaryFolder place;
  const auto run = [&](const std::string& algorithm, const std::string& parts) {
    toy_run(algorithm, place / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
            {"optimizer.accumulation_steps=" + parts});
  };
  EXPECT_THROW(run("erm", "9"), ConfigError);
  EXPECT_THROW(run("domainfusion", "2"), ConfigError);
  EXPECT_FALSE(std::filesystem::exists(place / "run"));
}

}  // namespace domainfusion
