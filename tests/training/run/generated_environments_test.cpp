// Generated images as further domains, and chosen source domains.
#include "domainfusion/training/run/generated_environments.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/augmentation/candidates/candidate_store.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Translations of every image of `domain` towards `towards`.
void add_translations(const CandidateStore& store, std::int64_t domain, const std::string& towards) {
  const ToyDataset set;
  for (std::int64_t i = 0; i < set.size(domain); ++i) {
    const CandidateKey key{set.pixel_identity(domain, i),
                           "no model",
                           json::object(),
                           "a stripe, " + towards,
                           {{"purpose", "cdga"}, {"seed", 0}, {"towards", towards}, {"copy", 0}}};
    store.add_image(key, set.image(domain, i));
  }
}

json record_of(const std::filesystem::path& run, const std::string& type) {
  for (const json& line : read_json_lines(run / "records.jsonl")) {
    if (line.at("type") == type) return line;
  }
  return nullptr;
}

class GeneratedEnvironmentsRun : public testing::Test {
 protected:
  GeneratedEnvironmentsRun() : store_(place_ / "store") {
    add_translations(store_, 0, "green paint");
    add_translations(store_, 1, "blue paint");
  }
  bool run(const std::string& algorithm, const std::string& name, RunMode mode = RunMode::kNew) {
    return toy_run(algorithm, place_ / name, std::make_shared<ToyDataset>(), mode,
                   {"data.generated=" + (place_ / "store").string()})
        .has_value();
  }
  TemporaryFolder place_;
  CandidateStore store_;
};

}  // namespace

TEST_F(GeneratedEnvironmentsRun, TranslationsOfInImagesAreDomainsOfEveryBatch) {
  ASSERT_TRUE(run("groupdro", "run"));
  const json record = record_of(place_ / "run", "generated");
  EXPECT_EQ(record.at("images"), (json{{"blue paint", 16}, {"green paint", 16}}));
  EXPECT_EQ(record.at("of_other_images"), 8);  // OUT images
  EXPECT_EQ(record.at("refused"), 0);
  const TensorMap checkpoint = load_tensors(place_ / "run/checkpoint.safetensors");
  EXPECT_EQ(checkpoint.at("algorithm.q").size(0), 4);
  // Source images alone count as training images: 4 of each of two domains a step.
  EXPECT_EQ(record_of(place_ / "run", "fit").at("images"), 32);
}

TEST_F(GeneratedEnvironmentsRun, ImagesOfTheTargetOrTowardsItStayOut) {
  add_translations(store_, 2, "yellow paint");
  add_translations(store_, 0, "red paint");
  ASSERT_TRUE(run("erm", "run"));
  const json record = record_of(place_ / "run", "generated");
  EXPECT_EQ(record.at("images"), (json{{"blue paint", 16}, {"green paint", 16}}));
  EXPECT_EQ(record.at("of_other_images"), 8 + 20 + 4);
  EXPECT_EQ(record.at("refused"), 16);
}

TEST_F(GeneratedEnvironmentsRun, AStoreWithNothingForTheRunIsRefusedAndSoAreAlgorithmsWithImagesOfTheirOwn) {
  EXPECT_THROW(toy_run("erm", place_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                       {"data.generated=" + (place_ / "nowhere").string()}),
               ConfigError);
  EXPECT_THROW(run("cdga", "cdga"), ConfigError);
  const CandidateStore empty(place_ / "empty");
  EXPECT_THROW(toy_run("erm", place_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                       {"data.generated=" + (place_ / "empty").string()}),
               ConfigError);
}

TEST(SourceDomains, OnlyThoseNamedAreTrainedOnAndSelectTheModel) {
  TemporaryFolder place;
  std::atomic<int> reads_of_green{0};
  auto set = std::make_shared<ToyDataset>();
  set->on_read = [&](std::int64_t domain) { reads_of_green += domain == 1; };
  ASSERT_TRUE(toy_run("erm", place / "run", set, RunMode::kNew, {"source_domains=[\"blue\"]"}));
  EXPECT_EQ(reads_of_green, 0);
  const json validation = record_of(place / "run", "validation");
  EXPECT_EQ(validation.at("accuracy").size(), 1u);
  EXPECT_TRUE(validation.at("accuracy").contains("blue"));
  EXPECT_THROW(toy_run("erm", place / "held", set, RunMode::kNew, {"source_domains=[\"blue\", \"red\"]"}), ConfigError);
  EXPECT_THROW(toy_run("erm", place / "unknown", set, RunMode::kNew, {"source_domains=[\"bleu\"]"}), ConfigError);
}

}  // namespace domainfusion
