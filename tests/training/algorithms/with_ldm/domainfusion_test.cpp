#include "domainfusion/training/algorithms/with_ldm/domainfusion.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <atomic>
#include <csignal>

#include "diffusion/weights/compvis_layout.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "tiny_models.h"
#include "training/toy_run.h"

namespace domainfusion {
namespace {

class DomainFusionRun : public testing::Test {
 protected:
  // The tiny LDM with a record of what it was trained on.
  std::string ldm_that_saw(const nlohmann::json& provenance) {
    std::filesystem::copy(kTinySd15, folder_ / "ldm", std::filesystem::copy_options::recursive);
    write_file_atomically(folder_ / "ldm" / "domainfusion.json", provenance.dump());
    return "ldm=" + (folder_ / "ldm").string();
  }
  // The message of the ConfigError that the run ends with.
  std::string refusal(std::vector<std::string> overrides) {
    try {
      toy_run("domainfusion", folder_ / fmt::format("refused{}", refusals_++), std::make_shared<ToyDataset>(),
              RunMode::kNew, std::move(overrides));
    } catch (const ConfigError& error) {
      return error.what();
    }
    return "not refused";
  }
  std::vector<nlohmann::json> records_of(const std::string& type) {
    std::vector<nlohmann::json> chosen;
    for (const auto& record : read_json_lines(folder_ / "run" / "records.jsonl")) {
      if (record.at("type") == type) chosen.push_back(record);
    }
    return chosen;
  }
  TemporaryFolder folder_;
  int refusals_ = 0;
};

}  // namespace

TEST_F(DomainFusionRun, AnLdmThatSawTheTestDomainIsRefusedByName) {
  const std::string ldm = ldm_that_saw({{"domains", {"green", "red"}}, {"image_hashes", nlohmann::json::array()}});
  EXPECT_NE(refusal({ldm}).find("trained on the test domain 'red'"), std::string::npos);
}

TEST_F(DomainFusionRun, AnLdmThatSawTheTestDomainUnderAnotherNameIsRefusedByItsImages) {
  const std::string hash = ToyDataset().file_hash(2, 5);
  const std::string ldm = ldm_that_saw({{"domains", {"crimson"}}, {"image_hashes", {hash}}});
  EXPECT_NE(refusal({ldm}).find("trained on 1 images of the test domain"), std::string::npos);
}

TEST_F(DomainFusionRun, ValidationImagesThatTheLdmSawAreCountedInTheRecords) {
  nlohmann::json hashes = nlohmann::json::array();
  for (std::int64_t index = 0; index < 20; ++index) hashes.push_back(ToyDataset().file_hash(0, index));
  const std::string ldm = ldm_that_saw({{"domains", {"blue"}}, {"image_hashes", hashes}});
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {ldm}));
  ASSERT_EQ(records_of("ldm").size(), 1u);
  EXPECT_EQ(records_of("ldm")[0].at("out_images_seen"), 4);
}

TEST_F(DomainFusionRun, AnLdmWhoseTrainingIsNotFinishedIsRefused) {
  const std::string ldm =
      ldm_that_saw({{"finished", false}, {"domains", {"blue"}}, {"image_hashes", nlohmann::json::array()}});
  EXPECT_NE(refusal({ldm}).find("not finished"), std::string::npos);
}

TEST_F(DomainFusionRun, CandidatesGoToStylesAndUnknownWordsAreAWarning) {
  const std::string ldm = ldm_that_saw({{"domains", {"blue", "green"}},
                                        {"image_hashes", nlohmann::json::array()},
                                        {"captions", {"a down, blue", "a across, bright mosaic"}}});
  const std::vector<std::string> options{ldm, "steps=2", "domainfusion.latent_distillation=false",
                                         "augmentation.styles=[\"mosaic\", \"bright neon\"]"};
  testing::internal::CaptureStderr();
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, options));
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("holds the words of bright neon ('neon'), so it cannot know"), std::string::npos) << log;
  EXPECT_EQ(log.find("mosaic ('mosaic')"), std::string::npos) << log;
  ASSERT_EQ(records_of("styles").size(), 1u);
  EXPECT_EQ(records_of("styles")[0].at("used"), (std::vector<std::string>{"mosaic", "bright neon"}));
  const std::string manifest = read_file(folder_ / "run/synthetic/manifest.jsonl");
  EXPECT_NE(manifest.find(", bright neon"), std::string::npos);
  EXPECT_EQ(manifest.find(", green"), std::string::npos);
  EXPECT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kResume, options));
  EXPECT_EQ(records_of("styles").size(), 1u);
}

TEST_F(DomainFusionRun, AModelOfOneFileTeachesLikeAFolder) {
  copy_pipeline(kTinySd15, folder_ / "diffusers", false);
  save_tensors(folder_ / "model.safetensors", compvis_tensors(kTinySd15, false));
  const std::string ldm = "ldm=" + (folder_ / "model.safetensors").string();
  const std::vector<std::string> short_run{ldm, "steps=2", "augmentation.images_per_round=1",
                                           "distillation.fraction=0.2"};
  EXPECT_NE(refusal(short_run).find("tokenizer"), std::string::npos);
  std::vector<std::string> with_tokenizer = short_run;
  with_tokenizer.push_back("ldm_tokenizer=" + (folder_ / "diffusers/tokenizer").string());
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, with_tokenizer));
  ASSERT_EQ(records_of("round").size(), 1u);
  EXPECT_EQ(records_of("round")[0].at("generated"), 2);
  EXPECT_EQ(records_of("distillation").size(), 2u);
}

// The gate costs more than a short run: its verdict is kept as soon as it is there, and runs of other seeds take it up
// where they share the curves.
TEST_F(DomainFusionRun, TheVerdictOfTheGateIsKept) {
  const auto start = [&](const std::string& name, const std::vector<std::string>& more, RunMode mode = RunMode::kNew) {
    std::vector<std::string> options{"distillation.encoder=curve",
                                     "distillation.curve.gate_images=2",
                                     "steps=1",
                                     "domainfusion.online_augmentation=false",
                                     "distillation.curve.max_rms_error=1",
                                     "distillation.curve.min_sign_agreement=0"};
    options.insert(options.end(), more.begin(), more.end());
    return toy_run("domainfusion", folder_ / name, std::make_shared<ToyDataset>(), mode, options).has_value();
  };
  const auto verdict = [&](const std::string& file) { return nlohmann::json::parse(read_file(folder_ / file)); };
  ASSERT_TRUE(start("run", {}));
  EXPECT_EQ(verdict("run/curve_gate.json").at("verdict").at("chosen_points"),
            records_of("curve_gate").at(0).at("chosen_points"));

  const std::string folder = "distillation.curve.folder=" + (folder_ / "curves").string();
  ASSERT_TRUE(start("one", {folder, "seed=1"}));
  std::vector<std::string> gates;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "curves"))
    if (entry.path().filename().string().starts_with("gate-"))
      gates.push_back("curves/" + entry.path().filename().string());
  ASSERT_EQ(gates.size(), 1u);
  // Another verdict in its place tells a run that reads it from one that measures.
  nlohmann::json kept = verdict(gates[0]);
  kept["verdict"]["chosen_points"] = 17;
  write_file_atomically(folder_ / gates[0], kept.dump());
  ASSERT_TRUE(start("two", {folder, "seed=2"}));
  for (const auto& record : read_json_lines(folder_ / "two/records.jsonl"))
    if (record.at("type") == "curve_gate") EXPECT_EQ(record.at("chosen_points"), 17);
  ASSERT_TRUE(start("three", {folder, "seed=2", "distillation.curve.gate_images=3"}));
  for (const auto& record : read_json_lines(folder_ / "three/records.jsonl"))
    if (record.at("type") == "curve_gate") EXPECT_EQ(record.at("chosen_points"), 5);
}

namespace {

const std::vector<std::string> kAuto{"domainfusion.latent_distillation=auto",
                                     "domainfusion.online_augmentation=false",
                                     "distillation.encoder=curve",
                                     "distillation.curve.gate_images=2",
                                     "distillation.curve.max_rms_error=1",
                                     "distillation.curve.min_sign_agreement=0"};

}  // namespace

TEST_F(DomainFusionRun, AutoMeasuresThePremiseAndDoesWhatItSays) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, kAuto));
  ASSERT_EQ(records_of("premise_gate").size(), 1u);
  const nlohmann::json verdict = records_of("premise_gate")[0];
  EXPECT_EQ(verdict.at("images"), 32);
  EXPECT_EQ(verdict.at("draws"), 2);
  EXPECT_EQ(verdict.at("rows").size(), 5u);
  const bool on = verdict.at("negative_share") >= 0.5;
  EXPECT_EQ(verdict.at("distillation"), on ? "on" : "off");
  EXPECT_EQ(records_of("distillation").size(), on ? 9u : 0u);
  EXPECT_EQ(records_of("curve_gate").size(), on ? 1u : 0u);
}

// The verdict is kept beside the curves: another one in its place tells a run that reads it from one that measures.
TEST_F(DomainFusionRun, WhereThePremiseFailsNothingOfDistillationIsMadeAndAResumedRunIsTheSame) {
  std::vector<std::string> shared = kAuto;
  shared.push_back("distillation.curve.folder=" + (folder_ / "curves").string());
  const auto start = [&](const std::string& name, std::shared_ptr<ToyDataset> set, RunMode mode = RunMode::kNew) {
    return toy_run("domainfusion", folder_ / name, std::move(set), mode, shared).has_value();
  };
  ASSERT_TRUE(start("first", std::make_shared<ToyDataset>()));
  std::filesystem::path file;
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "curves"))
    if (entry.path().filename().string().starts_with("premise-gate-")) file = entry.path();
  ASSERT_FALSE(file.empty());
  nlohmann::json kept = nlohmann::json::parse(read_file(file));
  const auto found_share = [&](double share) {
    std::filesystem::remove_all(folder_ / "curves");
    std::filesystem::create_directory(folder_ / "curves");
    kept["verdict"]["negative_share"] = share;
    write_file_atomically(file, kept.dump());
  };
  found_share(0.2);
  ASSERT_TRUE(start("run", std::make_shared<ToyDataset>()));
  EXPECT_EQ(records_of("premise_gate").at(0).at("distillation"), "off");
  EXPECT_TRUE(records_of("distillation").empty());
  EXPECT_TRUE(records_of("curve_gate").empty());
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "curves")) EXPECT_EQ(entry.path(), file);
  // The checkpoint holds the verdict: the file has another one by the time the run goes on.
  EXPECT_FALSE(start("stopped", stopped_at_read(80)));
  ASSERT_TRUE(std::filesystem::exists(folder_ / "stopped/checkpoint.safetensors"));
  found_share(0.8);
  ASSERT_TRUE(start("stopped", std::make_shared<ToyDataset>(), RunMode::kResume));
  expect_same_run(folder_ / "run", folder_ / "stopped");
  ASSERT_TRUE(start("run", std::make_shared<ToyDataset>(), RunMode::kOverwrite));
  EXPECT_EQ(records_of("premise_gate").at(0).at("distillation"), "on");
  EXPECT_EQ(records_of("distillation").size(), 9u);
}

TEST_F(DomainFusionRun, OnAndOffAskNoPremiseAndAreTheBooleansOfOlderRuns) {
  for (const std::string word : {"true", "off"}) {
    ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kOverwrite,
                        {"domainfusion.latent_distillation=" + word, "domainfusion.online_augmentation=false"}));
    EXPECT_TRUE(records_of("premise_gate").empty());
    EXPECT_EQ(records_of("distillation").size(), word == "true" ? 9u : 0u);
    const auto config = nlohmann::json::parse(read_file(folder_ / "run/run.json")).at("config");
    EXPECT_EQ(config.at("domainfusion").at("latent_distillation"), word == "true");
  }
}

TEST_F(DomainFusionRun, ControlsOfOneDrawnImageAreRefused) {
  EXPECT_NE(refusal({"distillation.control=shuffled", "distillation.fraction=0.1"}).find("one is drawn"),
            std::string::npos);
}

TEST_F(DomainFusionRun, PromptsThatNameTheTestDomainAreRefused) {
  EXPECT_NE(refusal({"augmentation.prompt_template=a Red {class}, {domain}"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"augmentation.negative_prompt=red things"}).find("red"), std::string::npos);
  EXPECT_NE(refusal({"distillation.prompt=a red {class}"}).find("red"), std::string::npos);
}

TEST_F(DomainFusionRun, PromptsThatAreOneToTheModelAreRefused) {
  std::string long_start;
  for (int i = 0; i < 80; ++i) long_start += "very ";
  const std::string rounds = refusal({"augmentation.prompt_template=a " + long_start + "fine {class}, {domain}"}),
                    distillation = refusal({"distillation.prompt=a " + long_start + "fine {class}"});
  for (const std::string& message : {rounds, distillation}) {
    EXPECT_NE(message.find("are one to the model, whose tokenizer takes 75 tokens and cuts off"), std::string::npos)
        << message;
  }
}

TEST_F(DomainFusionRun, WithoutAnLdmTheMessageSaysHowToGetOne) {
  EXPECT_NE(refusal({"ldm=\"\""}).find("pretrain"), std::string::npos);
}

TEST_F(DomainFusionRun, EveryStepSaysWhatEachPartContributed) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>()));
  const auto steps = records_of("step");
  ASSERT_EQ(steps.size(), 9u);
  for (const auto& step : steps) {
    const double sum =
        step.at("loss_raw").get<double>() + step.at("loss_synthetic").get<double>() + step.at("loss_ld").get<double>();
    EXPECT_NEAR(step.at("loss").get<double>(), sum, 1e-4);
  }
  EXPECT_EQ(records_of("distillation").size(), 9u);
  EXPECT_FALSE(records_of("round").empty());
}

TEST_F(DomainFusionRun, SyntheticImagesCountAsLambdaSays) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                      {"domainfusion.lambda_syn=0.5", "steps=2"}));
  for (const auto& step : records_of("step")) {
    const double sum = step.at("loss_raw").get<double>() + 0.5 * step.at("loss_synthetic").get<double>() +
                       step.at("loss_ld").get<double>();
    EXPECT_NEAR(step.at("loss").get<double>(), sum, 1e-4);
  }
}

// The LDM is shown the synthetic pictures themselves: for them no image of the set is read again.
TEST_F(DomainFusionRun, SyntheticRowsAreDistilledFromTheirOwnPictures) {
  std::int64_t reads[2] = {0, 0};
  for (const int synthetic : {0, 1}) {
    auto set = std::make_shared<ToyDataset>();
    std::atomic<std::int64_t> count{0};
    set->on_read = [&](std::int64_t) { ++count; };
    ASSERT_TRUE(toy_run("domainfusion", folder_ / fmt::format("run{}", synthetic), set, RunMode::kNew,
                        {"distillation.fraction=1", "augmentation.every_epochs=0", "loader.ahead_steps=1",
                         synthetic ? "distillation.images=raw_and_synthetic" : "distillation.images=raw"}));
    reads[synthetic] = count;
  }
  // Nine steps of eight rows would be 72 more; the loader holds one step or so ready.
  EXPECT_NEAR(static_cast<double>(reads[1]), static_cast<double>(reads[0]), 24);
}

// 32 source images in batches of 2 x 4: one synthetic image is one in a step, and an eighth of its loss.
TEST_F(DomainFusionRun, AFewSyntheticImagesWeighAsMuchAsTheyAre) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                      {"domainfusion.synthetic_repeats=1", "domainfusion.latent_distillation=false", "steps=2",
                       "augmentation.images_per_round=1"}));
  const auto steps = records_of("step");
  ASSERT_EQ(steps.size(), 2u);
  for (const auto& step : steps) {
    const double sum = step.at("loss_raw").get<double>() + step.at("loss_synthetic").get<double>() / 8;
    EXPECT_NEAR(step.at("loss").get<double>(), sum, 1e-4);
  }
}

TEST_F(DomainFusionRun, ManySyntheticImagesFillTheirMinibatch) {
  std::vector<double> losses[2];
  for (const int repeats : {0, 100}) {
    const auto run = folder_ / fmt::format("repeats{}", repeats);
    ASSERT_TRUE(toy_run("domainfusion", run, std::make_shared<ToyDataset>(), RunMode::kNew,
                        {fmt::format("domainfusion.synthetic_repeats={}", repeats), "steps=2",
                         "domainfusion.latent_distillation=false"}));
    for (const auto& record : read_json_lines(run / "records.jsonl")) {
      if (record.at("type") == "step") losses[repeats == 0 ? 0 : 1].push_back(record.at("loss"));
    }
  }
  ASSERT_EQ(losses[0].size(), 2u);
  EXPECT_EQ(losses[0], losses[1]);
}

TEST_F(DomainFusionRun, SyntheticImagesAreDistilledWhereAskedFor) {
  for (const bool synthetic : {false, true}) {
    ASSERT_TRUE(toy_run(
        "domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kOverwrite,
        {"distillation.fraction=1", synthetic ? "distillation.images=raw_and_synthetic" : "distillation.images=raw"}));
    // Four images of each of two sources; as many of the synthetic set, which the first round has filled before step 0.
    for (const auto& step : records_of("distillation")) EXPECT_EQ(step.at("images"), synthetic ? 16 : 8);
  }
}

TEST_F(DomainFusionRun, SyntheticImagesOfAnEqualRunAreTakenOver) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "first", std::make_shared<ToyDataset>()));
  const std::string from = "domainfusion.synthetic_from=" + (folder_ / "first").string();
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, {from}));
  // Even the seconds that rounds took are the first run's: nothing was made anew.
  EXPECT_EQ(read_json_lines(folder_ / "first" / "records.jsonl"), read_json_lines(folder_ / "run" / "records.jsonl"));
  EXPECT_NE(refusal({from, "augmentation.strength=0.9"}).find("strength"), std::string::npos);
  EXPECT_NE(refusal({"domainfusion.synthetic_from=" + folder_.path().string()}).find("no synthetic set"),
            std::string::npos);
}

TEST_F(DomainFusionRun, ARunStoppedInsideTheGateMeasuresItAgain) {
  const std::vector<std::string> curve{"distillation.encoder=curve", "distillation.curve.max_rms_error=1",
                                       "distillation.curve.min_sign_agreement=0", "loader.ahead_steps=1"};
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, curve));
  auto stopping = std::make_shared<ToyDataset>();
  // The loader holds up to 16 images ready, the gate reads 32: the 20th read is the gate's. A second signal would end
  // the process.
  std::atomic<int> read{0};
  stopping->on_read = [&](std::int64_t) {
    if (++read == 20) std::raise(SIGTERM);
  };
  EXPECT_FALSE(toy_run("domainfusion", folder_ / "run", stopping, RunMode::kResume, curve));
  EXPECT_TRUE(records_of("curve_gate").empty());
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kResume, curve));
  ASSERT_EQ(records_of("curve_gate").size(), 1u);
  EXPECT_EQ(records_of("curve_gate")[0].at("chosen_points"), 5);
  EXPECT_TRUE(read_file(folder_ / "whole" / "checkpoint.safetensors") ==
              read_file(folder_ / "run" / "checkpoint.safetensors"));
}

TEST_F(DomainFusionRun, TheDiffusionClassifierTeachesAndAResumedRunIsTheSame) {
  const std::vector<std::string> teacher{"distillation.teacher=diffusion_classifier"};
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "whole", std::make_shared<ToyDataset>(), RunMode::kNew, teacher));
  EXPECT_FALSE(toy_run("domainfusion", folder_ / "run", stopped_at_read(60), RunMode::kNew, teacher));
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kResume, teacher));
  expect_same_run(folder_ / "whole", folder_ / "run");
  for (const auto& step : records_of("distillation")) EXPECT_TRUE(step.contains("teacher_accuracy"));
}

TEST_F(DomainFusionRun, StylesAreSearchedOnlyWithAClassifierThatSawNothingMoreThanThisRunMay) {
  ASSERT_TRUE(toy_run("erm", folder_ / "erm", std::make_shared<ToyDataset>()));
  ASSERT_TRUE(toy_run("erm", folder_ / "other", std::make_shared<ToyDataset>(), RunMode::kNew, {"test_domain=green"}));
  std::filesystem::copy_file(folder_ / "erm" / "best.safetensors", folder_ / "best.safetensors");
  const auto judged = [&](const std::filesystem::path& run, const std::string& option = "seed=0") {
    return std::vector<std::string>{"augmentation.combine=mode", "augmentation.move_steps=2",
                                    "augmentation.decomposition=adain",
                                    "domainfusion.fidelity_weights=" + (run / "best.safetensors").string(), option};
  };
  EXPECT_NE(refusal({"augmentation.combine=mode"}).find("with domainfusion.fidelity_weights"), std::string::npos);
  EXPECT_NE(refusal(judged(folder_ / "other")).find("trained with 'green' held out, not 'red'"), std::string::npos);
  EXPECT_NE(refusal(judged(folder_ / "erm", "trial_seed=1")).find("another split"), std::string::npos);
  EXPECT_NE(refusal(judged(folder_.path())).find("no run.json"), std::string::npos);
  ASSERT_TRUE(
      toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew, judged(folder_ / "erm")));
  const auto lines = read_json_lines(folder_ / "run" / "synthetic" / "manifest.jsonl");
  EXPECT_TRUE(lines.at(0).at("identity").contains("judge"));
  EXPECT_EQ(lines.at(1).at("style_weights").size(), 3u);
}

TEST_F(DomainFusionRun, CurvesOfSyntheticImagesAreRefused) {
  EXPECT_NE(refusal({"distillation.images=raw_and_synthetic", "distillation.encoder=curve"}).find("difference"),
            std::string::npos);
}

TEST_F(DomainFusionRun, SwitchedOffPartsAreAbsent) {
  ASSERT_TRUE(toy_run("domainfusion", folder_ / "run", std::make_shared<ToyDataset>(), RunMode::kNew,
                      {"domainfusion.latent_distillation=false", "domainfusion.online_augmentation=false"}));
  for (const auto& step : records_of("step")) {
    EXPECT_FALSE(step.contains("loss_ld"));
    EXPECT_FALSE(step.contains("loss_synthetic"));
  }
  EXPECT_TRUE(records_of("round").empty());
}

}  // namespace domainfusion
