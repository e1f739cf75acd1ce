#include <gtest/gtest.h>

#include "domainfusion/evaluation/plans/rank_plan.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/training/records/run_cost.h"
#include "temporary_folder.h"
#include "tiny_models.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

RunPlan plan_of(const std::string& algorithm, const std::vector<std::string>& overrides = {}) {
  RunSetup setup = toy_setup(algorithm, overrides);
  return plan_run(setup, sizes_of(ToyDataset(), "toy"));
}

}  // namespace

TEST(RunPlan, TheImagesToGenerateAreThoseThatTheRunGenerates) {
  const TemporaryFolder folder;
  ASSERT_TRUE(toy_run("domainfusion", folder / "run", std::make_shared<ToyDataset>()));
  const RunPlan plan = plan_of("domainfusion");
  const RealCost real = real_cost(folder / "run");
  EXPECT_GT(real.generated_images, 0);
  EXPECT_EQ(plan.work.generated_images, real.generated_images);
  // Two steps at guidance 5 from strength 0.5: one step, two passes of the U-Net for each candidate; distillation's
  // pass for a quarter of each batch of eight.
  EXPECT_EQ(plan.work.unet_images, 2.0 * static_cast<double>(real.generated_images) + 9 * 2);
  // The premise gate: 32 images, two draws, five confidences.
  EXPECT_EQ(plan_of("domainfusion", {"domainfusion.latent_distillation=auto"}).work.unet_images,
            plan.work.unet_images + 320);
  // Two candidates of each of a round's three images together, with guidance.
  EXPECT_EQ(plan.work.vae_batch, 6);
  EXPECT_EQ(plan.work.unet_batch, 12);
  EXPECT_GT(plan.ldm_seconds.value(), 0);
  EXPECT_GT(real.seconds, 0);
  EXPECT_GT(real.peak_memory_mib, 0);
  EXPECT_GT(plan.disk_mib, 0);
}

TEST(RunPlan, PlainTrainingNeedsNoDiffusionModel) {
  const RunPlan plan = plan_of("erm", {"erm.batch_multiplier=2"});
  EXPECT_EQ(plan.work.generated_images, 0);
  EXPECT_EQ(plan.ldm_seconds, 0);
  EXPECT_EQ(plan.budget.images_per_step, 16);
  EXPECT_GT(plan.training_seconds, 0);
}

TEST(RunPlan, CdgaCanSeeAsManyImagesAStepAsDomainFusion) {
  const RunPlan plan = plan_of("cdga", {"ldm=", "cdga.batch_multiplier=2"});
  EXPECT_EQ(plan.budget.images_per_step, 16);
  // 32 source images to the other source domain: one of two steps, with guidance. The sampler of no LDM is DDIM.
  EXPECT_EQ(plan.work.generated_images, 32);
  EXPECT_EQ(plan.work.unet_images, 32 * 2);
}

TEST(RunPlan, StylesAreImagesOfCdga) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "styles.txt", "mosaic\nred chalk\nbatik\n");  // red is held out
  const std::vector<std::string> styles{"cdga.styles=[\"neon\", \"@" + (folder / "styles.txt").string() + "\"]"};
  ASSERT_TRUE(toy_run("cdga", folder / "run", std::make_shared<ToyDataset>(), RunMode::kNew, styles));
  EXPECT_EQ(plan_of("cdga", styles).work.generated_images, 32 * 4);
  EXPECT_EQ(real_cost(folder / "run").generated_images, 32 * 4);
}

TEST(RunPlan, WithoutTheDiffusionModelTheCountsStandAndTheTimeIsUnknown) {
  const RunPlan plan = plan_of("domainfusion", {"ldm="});
  EXPECT_EQ(plan.work.generated_images, plan_of("domainfusion").work.generated_images);
  EXPECT_FALSE(plan.ldm_seconds);
  EXPECT_NE(text_table(plan_cells({plan})).find("no --ldm given"), std::string::npos);
}

TEST(RunPlan, DsiTranslatesEachTestedImageFromEachStartByEachSourcesModel) {
  const RunPlan erm = plan_of("erm", {"ldm=" + kTinySd15.string()}), dsi = with_dsi(erm);
  EXPECT_EQ(dsi.algorithm, "erm + dsi");
  EXPECT_EQ(dsi.work.generated_images, 2 * 16 * 4);  // sources, images of the target, starts
  EXPECT_EQ(dsi.work.unet_images, 2 * 16 * (10 + 20 + 30 + 40) + 3.0 * 2 * 2000 * 48);
  EXPECT_GT(dsi.ldm_seconds.value(), 0);
  EXPECT_FALSE(with_dsi(plan_of("erm")).ldm_seconds);
}

TEST(RankPlan, ARingSendsTwiceTheValuesButForOnesOwnShare) {
  EXPECT_EQ(bytes_of_sum(100, 1), 0);
  EXPECT_EQ(bytes_of_sum(100, 2), 100);
  EXPECT_EQ(bytes_of_sum(100, 4), 150);
}

TEST(RankPlan, BackwardHidesAllSumsButTheLastBuckets) {
  constexpr double kBucket = 25 << 20;
  // Four buckets between two ranks in a second each: three of them fit into backward's 6 s of 9.
  EXPECT_DOUBLE_EQ(waited_for_sums(4 * kBucket, 2, kBucket, 9), 1);
  EXPECT_DOUBLE_EQ(waited_for_sums(4 * kBucket, 2, kBucket, 3), 2);  // 4 s of sums beside 2 s of backward
  EXPECT_DOUBLE_EQ(waited_for_sums(kBucket / 2, 2, kBucket, 9), 0.5);
}

TEST(RankPlan, RanksShareBatchesImagesAndValidation) {
  RunSetup setup = toy_setup("cdga", {});
  const SetSizes sizes = sizes_of(ToyDataset(), "toy");
  const RunPlan one = plan_run(setup, sizes);
  const RankPlan two = plan_ranks(setup, sizes, one, 2, 1e9);
  EXPECT_TRUE(two.shares_batches);
  EXPECT_EQ(two.rows_of_step, static_cast<double>(one.budget.images_per_step) / 2);
  EXPECT_EQ(two.bytes_of_step, one.gradient_bytes);
  EXPECT_DOUBLE_EQ(two.ldm_seconds.value(), one.ldm_seconds.value() / 2);
  EXPECT_LE(two.memory_mib, one.peak_memory_mib);
  EXPECT_THROW(plan_ranks(setup, sizes, one, one.budget.images_per_step + 1, 1e9), ConfigError);
}

TEST(RankPlan, AStepThatNeedsTheWholeBatchIsNoFaster) {
  RunSetup setup = toy_setup("domainfusion", {});
  const SetSizes sizes = sizes_of(ToyDataset(), "toy");
  const RunPlan one = plan_run(setup, sizes);
  const RankPlan four = plan_ranks(setup, sizes, one, 4, 1e9);
  EXPECT_FALSE(four.shares_batches);
  EXPECT_EQ(four.bytes_of_step, 0);
  EXPECT_NEAR(four.training_seconds, one.training_seconds - 0.75 * one.evaluation_seconds, 1e-9);
  // Distillation's passes stay, what makes candidates is shared.
  EXPECT_LT(four.ldm_seconds.value(), one.ldm_seconds.value());
  EXPECT_GT(four.ldm_seconds.value(), one.ldm_seconds.value() / 4);
}

TEST(RankPlan, AFarmIsCountedInWorkersForADeadline) {
  RunPlan plan = plan_of("cdga");
  plan.ldm_times = GenerationTimes{.unet_seconds = 1, .vae_seconds = 0.5};
  plan.work = {};
  EXPECT_EQ(describe_farm(plan, 1), "");
  plan.work.generated_images = 3600;
  plan.work.generation_unet_images = 2 * 3600;
  plan.work.generation_vae_images = 2 * 3600;
  EXPECT_EQ(describe_farm(plan, 1),
            "cdga: 1200 images an hour by a worker like this process; 3 workers make 3600 in 1 h");
}

TEST(RunPlan, DecodedImagesThatAreKeptCountAsMemory) {
  RunSetup setup = toy_setup("erm", {"data.cache=memory", "data.cache_mb=1024"});
  SetSizes sizes = sizes_of(ToyDataset(), "toy");
  EXPECT_EQ(sizes.decoded_bytes, static_cast<double>(ToyDataset().image(0, 0).rgb.size()));
  sizes.decoded_bytes = 0;
  const double without = plan_run(setup, sizes).peak_memory_mib;
  sizes.decoded_bytes = 1 << 30;
  // What a step needs is measured, and differs a little each time.
  EXPECT_NEAR(plan_run(setup, sizes).peak_memory_mib - without, 1024, 64);
}

TEST(RunPlan, FdsCountsAreThoseOfItsScripts) {
  EXPECT_EQ(fds_images(3, 7, "PACS"), 672'000);
  EXPECT_EQ(fds_images(3, 65, "OfficeHome"), 3'120'000);
}

TEST(RunCost, TimeAddsUpOverStopsAndResumes) {
  const TemporaryFolder folder;
  ASSERT_FALSE(toy_run("erm", folder / "run", stopped_at_read(30)));
  const RunCost stopped = read_run_cost(folder / "run");
  ASSERT_TRUE(toy_run("erm", folder / "run", std::make_shared<ToyDataset>(), RunMode::kResume));
  const RunCost whole = read_run_cost(folder / "run");
  EXPECT_GT(stopped.seconds, 0);
  EXPECT_GT(whole.seconds, stopped.seconds);
  EXPECT_LT(stopped.steps, whole.steps);
  EXPECT_EQ(whole.steps, 9);
  ASSERT_GT(whole.course.size(), stopped.course.size());
  for (std::size_t i = 1; i < whole.course.size(); ++i) {
    EXPECT_LT(whole.course[i - 1].steps, whole.course[i].steps);
    EXPECT_LE(whole.course[i - 1].seconds, whole.course[i].seconds);
  }
  EXPECT_EQ(whole.course.back().steps, 9);
}

}  // namespace domainfusion
