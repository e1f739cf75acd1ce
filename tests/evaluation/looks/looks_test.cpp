#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/data/protocol/split.h"
#include "domainfusion/evaluation/looks/calibration.h"
#include "domainfusion/evaluation/looks/image_answers.h"
#include "temporary_folder.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

ImageAnswer answer_of(double probability, bool right) {
  ImageAnswer answer;
  answer.answer = right ? 0 : 1;
  answer.probability = probability;
  return answer;
}

}  // namespace

TEST(Calibration, IsTheGapBetweenHowSureAndHowOftenRight) {
  // By hand: two of (0.5, 0.75], one right: |0.5 - 0.7|; two of (0.75, 1], both right: |1 - 0.85|.
  const Calibration calibration = calibration_of(
      {answer_of(0.65, true), answer_of(0.75, false), answer_of(0.7501, true), answer_of(0.9499, true)}, 4);
  EXPECT_NEAR(calibration.error, 0.5 * 0.2 + 0.5 * 0.15, 1e-12);
  EXPECT_EQ(calibration.bins[2].images, 2);
  EXPECT_EQ(calibration.bins[0].images, 0);
  EXPECT_EQ(calibration_of({answer_of(0, false), answer_of(1, true)}).error, 0);
  EXPECT_THROW(calibration_of({}), ConfigError);
}

TEST(ImageAnswers, AddUpToTheRunsOwnFigures) {
  const TemporaryFolder folder;
  const auto set = std::make_shared<ToyDataset>();
  const auto test = toy_run("erm", folder / "run", set);
  ASSERT_TRUE(test);
  TrainedModel model = load_trained_model(folder / "run");
  const auto domains = image_answers(model, *set, true, 1000);
  ASSERT_EQ(std::ssize(domains), set->number_of_domains());
  EXPECT_EQ(domains[0].domain, "red");
  EXPECT_TRUE(domains[0].held_out);
  std::vector<std::vector<std::int64_t>> confusion(test->confusion.size(),
                                                   std::vector<std::int64_t>(test->confusion.size()));
  for (const ImageAnswer& answer : domains[0].answers) {
    ++confusion[static_cast<std::size_t>(answer.label)][static_cast<std::size_t>(answer.answer)];
    EXPECT_NEAR(std::exp(-answer.loss), answer.own_probability, 1e-9);
    EXPECT_GE(answer.probability, answer.own_probability);
  }
  EXPECT_EQ(confusion, test->confusion);
  EXPECT_EQ(domains[0].feature_NF.size(0), std::ssize(domains[0].answers));

  const auto sources = image_answers(model, *set, false, 2);
  ASSERT_EQ(std::ssize(sources), set->number_of_domains() - 1);
  for (const DomainAnswers& domain : sources) {
    EXPECT_FALSE(domain.held_out);
    EXPECT_EQ(std::ssize(domain.answers), std::min<std::int64_t>(2, domain.images));
    const std::int64_t d = domain.answers[0].domain;
    const auto out = holdout_split(set->size(d), 0, d, 0.2).out;
    for (const ImageAnswer& answer : domain.answers)
      EXPECT_NE(std::find(out.begin(), out.end(), answer.index), out.end()) << domain.domain;
  }
}

}  // namespace domainfusion
