// Which model a run keeps, on what it selects, and with which learning rate it got there.

#include <gtest/gtest.h>

#include "domainfusion/diffusion/ldm_provenance.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "domainfusion/training/guards/source_split.h"
#include "domainfusion/training/records/checkpoint.h"
#include "domainfusion/training/run/validation.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

// Weights that stand still: all validations are equal, and batch norm's statistics alone tell one step's model from
// another's.
const std::vector<std::string> kStandingStill{"optimizer.lr=1e-20", "checkpoint_frequency=3", "keep_checkpoints=true"};

template <class Record>
std::vector<Record> records_of(const std::filesystem::path& run, const std::string& type,
                               Record (*read)(const nlohmann::json&)) {
  std::vector<Record> records;
  for (const auto& line : read_json_lines(run / "records.jsonl")) {
    if (line.at("type") == type) records.push_back(read(line));
  }
  return records;
}

void expect_model_of_step(const std::filesystem::path& run, std::int64_t step) {
  const TensorMap best = load_tensors(run / "best.safetensors"),
                  then = load_tensors(run / fmt::format("checkpoint-{}.safetensors", step));
  ASSERT_FALSE(best.empty());
  for (const auto& [name, tensor] : best) EXPECT_TRUE(tensor.equal(then.at("model." + name))) << name;
}

Classifier best_model(const std::filesystem::path& run) {
  const RunSetup setup = toy_setup("erm");
  Classifier classifier(setup.config.classifier, 2, 0);
  load_model(run / "best.safetensors", classifier);
  classifier->eval();
  return classifier;
}

Figures figures_of(const Classifier& classifier, const DomainDataset& set, std::int64_t domain,
                   const std::vector<std::int64_t>& indices) {
  return evaluate_images([&](const at::Tensor& image) { return Classifier(classifier)->forward(image); }, set, domain,
                         indices, 16, at::Device(test_device()));
}

}  // namespace

TEST(Selection, OfEqualValidationsTheFirstIsKeptAndTested) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(40), RunMode::kNew,
                      {"steps=120", "checkpoint_frequency=20", "keep_checkpoints=true", "loader.augment=false",
                       "classifier.dropout=0"}));
  const auto validations = records_of(place / "run", "validation", &validation_record);
  std::vector<std::int64_t> best;
  for (const ValidationRecord& validation : validations)
    if (validation.mean_accuracy == 1) best.push_back(validation.step);
  ASSERT_GE(best.size(), 2u) << "the toy set is learnt long before the end";
  const auto tests = records_of(place / "run", "test", &test_record);
  ASSERT_EQ(tests.size(), 1u);
  EXPECT_EQ(tests[0].step, best[0]);
  EXPECT_EQ(select_by_source_validation(validations)->step, best[0]);
  expect_model_of_step(place / "run", best[0]);
}

TEST(Selection, AResumedRunRemembersTheBestAccuracySoFar) {
  TemporaryFolder place;
  auto stopping = std::make_shared<ToyDataset>();
  std::atomic<int> reads{0};
  stopping->on_read = [&](std::int64_t) {
    // 8 images a step and 8 at the first validation: the stop comes behind it.
    if (++reads == 8 * 3 + 8 + 6) kill(getpid(), SIGTERM);
  };
  std::vector<std::string> options = kStandingStill;
  options.insert(options.end(), {"loader.ahead_steps=1", "loader.workers=0"});
  ASSERT_FALSE(toy_run("erm", place / "run", stopping, RunMode::kNew, options));
  ASSERT_FALSE(records_of(place / "run", "validation", &validation_record).empty());
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kResume, options));
  EXPECT_EQ(records_of(place / "run", "test", &test_record).at(0).step, 3);
  expect_model_of_step(place / "run", 3);
}

// The figures in the records are those of the kept model, in evaluation mode, on the OUT images of the sources and the
// IN images of the target.
TEST(Selection, RecordsAreWhatTheKeptModelGives) {
  TemporaryFolder place;
  const auto set = std::make_shared<ToyDataset>();
  ASSERT_TRUE(toy_run("erm", place / "run", set, RunMode::kNew, {"optimizer.lr=1e-4"}));
  const SourceSplit split = split_sources(set, toy_setup("erm").config);
  const Classifier best = best_model(place / "run");
  const TestRecord test = records_of(place / "run", "test", &test_record).at(0);
  EXPECT_DOUBLE_EQ(figures_of(best, *set, 2, split.splits[2].in).accuracy(), test.accuracy);
  for (const ValidationRecord& validation : records_of(place / "run", "validation", &validation_record)) {
    if (validation.step != test.step) continue;
    double loss = 0;
    for (const std::int64_t domain : split.sources) {
      const Figures figures = figures_of(best, *set, domain, split.splits[static_cast<std::size_t>(domain)].out);
      EXPECT_DOUBLE_EQ(figures.accuracy(),
                       validation.accuracy.at(set->domain_names()[static_cast<std::size_t>(domain)]));
      loss += figures.mean_loss / 2;
    }
    EXPECT_NEAR(loss, validation.mean_loss, 1e-5);
  }
}

TEST(Selection, EachStepTakesItsOwnLearningRate) {
  TemporaryFolder place;
  ASSERT_TRUE(toy_run("erm", place / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {"optimizer.decay=linear"}));
  const OptimizerConfig optimizer = toy_setup("erm", {"optimizer.decay=linear"}).config.optimizer;
  const auto steps = records_of(place / "run", "step", &step_record);
  ASSERT_EQ(steps.size(), 9u);
  EXPECT_EQ(steps[0].scalars.at("lr"), optimizer.lr);
  for (const StepRecord& step : steps)
    EXPECT_DOUBLE_EQ(step.scalars.at("lr"), optimizer.lr_at(step.step, 9)) << step.step;
}

TEST(SourceSplit, ValidatesOnTheOutImagesAloneWhichNoStepSees) {
  const auto set = std::make_shared<ToyDataset>(40);
  const TrainingConfig config = toy_setup("erm").config;
  const SourceSplit split = split_sources(set, config);
  ASSERT_EQ(split.sources, (std::vector<std::int64_t>{0, 1}));
  for (std::size_t d = 0; d < 2; ++d) {
    const auto domain = static_cast<std::int64_t>(d);
    const Split expected = holdout_split(40, config.trial_seed, domain, config.holdout_fraction);
    std::set<std::string> in, out;
    for (std::int64_t i = 0; i < split.source_in->size(domain); ++i) in.insert(split.source_in->info(domain, i).path);
    for (std::int64_t i = 0; i < split.source_out->size(domain); ++i)
      out.insert(split.source_out->info(domain, i).path);
    ASSERT_EQ(out.size(), expected.out.size());
    for (const std::int64_t index : expected.out) EXPECT_TRUE(out.contains(set->info(domain, index).path));
    for (const std::string& path : out) EXPECT_FALSE(in.contains(path)) << path;
    EXPECT_EQ(in.size() + out.size(), 40u);
  }
}

TEST(HoldoutGuard, CountsTheFirstAndTheLastImageOfTheTarget) {
  const auto set = std::make_shared<ToyDataset>();
  const HoldoutGuard guard(set, {2}, {{0, 19}, {4}, {}});
  for (const std::int64_t index : {0, 19}) {
    EXPECT_EQ(guard.target_images_among({recorded_hash(set->file_hash(2, index))}), 1) << index;
    EXPECT_EQ(guard.out_images_among({recorded_hash(set->file_hash(0, index))}), 1) << index;
  }
  EXPECT_EQ(guard.out_images_among({recorded_hash(set->file_hash(0, 1))}), 0);
}

}  // namespace domainfusion
