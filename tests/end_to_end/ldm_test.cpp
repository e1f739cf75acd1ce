// From images to a diffusion model of their own, to what it is good for, to a classifier.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

const char* const kTinyLdm =
    "--set image_size_px=16 --set pictures_every_steps=4 --set vae.block_out_channels=[8,8] --set "
    "vae.latent_channels=4 "
    "--set vae.norm_num_groups=2 --set vae.training.steps=6 --set text.width=8 --set text.layers=1 --set text.heads=2 "
    "--set text.bpe_merges=20 --set unet.block_out_channels=[8,16] --set unet.heads=2 --set unet.norm_num_groups=4 "
    "--set unet.training.steps=6 --set unet.training.batch_size=4 ";

const char* const kDomainFusion =
    "--algorithm domainfusion --ldm ldm --set augmentation.budget_share=0 --set augmentation.images_per_round=4 "
    "--set augmentation.steps=4 --set augmentation.batch_images=1 --set distillation.encoder=difference "
    "--set domainfusion.latent_distillation=on ";

class OwnLdm : public testing::Test {
 protected:
  void SetUp() override {
    shell_.make_set();
    succeed("pretrain --data set --domains cartoon,photo --out ldm " + std::string(kTinyLdm));
  }
  CommandResult succeed(const std::string& arguments) {
    CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  // Of a safetensors file of float32, in the order of the file.
  std::vector<float> values_of(const std::string& file) {
    const std::string bytes = CommandLine::text(shell_ / file);
    std::uint64_t header = 0;
    std::memcpy(&header, bytes.data(), sizeof header);
    std::vector<float> values((bytes.size() - sizeof header - header) / sizeof(float));
    std::memcpy(values.data(), bytes.data() + sizeof header + header, values.size() * sizeof(float));
    return values;
  }
  std::int64_t files_in(const std::string& folder, const std::string& start) {
    std::int64_t files = 0;
    for (const auto& entry : std::filesystem::directory_iterator(shell_ / folder)) {
      files += entry.path().filename().string().starts_with(start);
    }
    return files;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(OwnLdm, ShowsWhatItLearnsAndRemembersWhatItSaw) {
  EXPECT_GE(files_in("ldm/pictures", "vae_"), 1);
  EXPECT_GE(files_in("ldm/pictures", "unet_"), 1);
  const auto record = nlohmann::json::parse(CommandLine::text(shell_ / "ldm/domainfusion.json"));
  EXPECT_EQ(record.at("domains"), nlohmann::json::array({"cartoon", "photo"}));
  EXPECT_EQ(record.at("image_hashes").size(), 32u);  // the IN images of two domains of twenty
  EXPECT_EQ(record.at("alpha"), "drop");
  EXPECT_NE(shell_.run("pretrain --data set --domains cartoon,photo --out ldm").err.find("--overwrite"),
            std::string::npos);
}

TEST_F(OwnLdm, TwoRanksTrainTheOneOfOneProcess) {
  const std::string more = " --set half_weights=false --overwrite ";
  succeed("pretrain --data set --domains cartoon,photo --out ldm " + std::string(kTinyLdm) + more);
  succeed("launch -n 2 -- pretrain --data set --domains cartoon,photo --out ranked " + std::string(kTinyLdm) + more);
  for (const char* file : {"vae/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.safetensors"}) {
    const std::vector<float> one = values_of("ldm/" + std::string(file)),
                             two = values_of("ranked/" + std::string(file));
    ASSERT_EQ(one.size(), two.size());
    double apart = 0, square = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
      apart += std::abs(one[i] - two[i]);
      square += one[i] * one[i];
    }
    const auto count = static_cast<double>(one.size());
    EXPECT_LT(apart / count, 1e-3 * std::sqrt(square / count)) << file;
  }
  EXPECT_EQ(CommandLine::text(shell_ / "ldm/domainfusion.json"),
            CommandLine::text(shell_ / "ranked/domainfusion.json"));
  succeed(
      "launch -n 2 -- finetune --ldm ranked --data set --domain photo --out tuned --set steps=2 --set batch_size=4 "
      "--set micro_batch_size=2");
  EXPECT_TRUE(std::filesystem::exists(shell_ / "tuned/model_index.json"));
}

TEST_F(OwnLdm, IsInspectedBeforeARun) {
  const std::string images = " --ldm ldm --data set --domains cartoon,photo --images 8 ";
  const CommandResult premise =
      succeed("inspect premise" + images + "--draws 1 --json premise.json --plot premise.png");
  EXPECT_NE(premise.out.find("g < 0"), std::string::npos) << premise.out;
  EXPECT_GT(read_image(shell_ / "premise.png").height, 100);
  EXPECT_TRUE(nlohmann::json::accept(CommandLine::text(shell_ / "premise.json")));
  const CommandResult curve = succeed("inspect latent-curve" + images);
  for (const char* points : {"5", "9", "17", "33"}) EXPECT_NE(curve.out.find(points), std::string::npos) << curve.out;
}

TEST_F(OwnLdm, TeachesAndAugmentsAndIsRefusedForADomainThatItSaw) {
  succeed(CommandLine::tiny_run(std::string("--out run ") + kDomainFusion));
  std::map<std::string, int> types;
  for (const auto& record : read_json_lines(shell_ / "run/records.jsonl")) ++types[record.at("type")];
  EXPECT_EQ(types["distillation"], 8);
  EXPECT_GE(types["round"], 1);
  EXPECT_GE(files_in("run/pictures", "round"), 1);
  const CommandResult refused =
      shell_.run(CommandLine::tiny_run(std::string("--out refused ") + kDomainFusion + "--test-domain photo"));
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_NE(refused.err.find("'photo'"), std::string::npos) << refused.err;
}

TEST_F(OwnLdm, ARunKilledInsideARoundContinuesToTheBitsOfAnUninterruptedOne) {
  // Long enough a round that a kill after its first image falls inside it.
  const std::string options =
      std::string(kDomainFusion) + "--set augmentation.images_per_round=16 --set augmentation.steps=40 ";
  succeed(CommandLine::tiny_run("--out whole " + options));
  const std::string killed = CommandLine::tiny_run("--resume --out killed " + options);
  EXPECT_TRUE(shell_.kill_when_exists(killed, "killed/synthetic/round-0000", SIGKILL));
  for (const auto& record : read_json_lines(shell_ / "killed/records.jsonl"))
    EXPECT_NE(record.at("type"), "round") << "killed after the round, not inside";
  succeed(killed);
  for (const char* file : {"/checkpoint.safetensors", "/best.safetensors"}) {
    EXPECT_TRUE(CommandLine::text(shell_ / (std::string("whole") + file)) ==
                CommandLine::text(shell_ / (std::string("killed") + file)))
        << file;
  }
}

TEST_F(OwnLdm, IsFinetunedForEachSourceDomainAndTranslatesAtTestTime) {
  const std::string brief =
      " --set steps=3 --set batch_size=4 --set micro_batch_size=2 --set gradient_checkpointing=true";
  for (const char* domain : {"cartoon", "photo"}) {
    succeed(fmt::format("finetune --ldm ldm --data set --domain {0} --out ldm_{0}", domain) + brief);
  }
  EXPECT_NE(shell_.run("finetune --ldm ldm --data set --domain photo --out ldm_photo" + brief).err.find("--overwrite"),
            std::string::npos);
  succeed(CommandLine::tiny_run("--out run"));
  const std::string dsi =
      "dsi run --ldm cartoon=ldm_cartoon --ldm photo=ldm_photo --set steps=4 --set start_steps=[1,3] ";
  const CommandResult trap = shell_.run(dsi + "--set threshold=0.5");
  EXPECT_EQ(trap.exit_code, 2);
  EXPECT_NE(trap.err.find("1/2"), std::string::npos) << trap.err;
  const CommandResult first =
      succeed(dsi + "--set threshold_from=source_validation --set threshold_candidates_percent=[60,95]");
  EXPECT_NE(first.out.find("clean+cartoon+photo"), std::string::npos) << first.out;
  const auto record = nlohmann::json::parse(CommandLine::text(shell_ / "run/dsi.json"));
  EXPECT_EQ(record.at("subsets").size(), 7u);
  EXPECT_EQ(record.at("candidates").size(), 2u);
  for (const auto& line : read_json_lines(shell_ / "run/records.jsonl")) {
    if (line.at("type") != "test") continue;
    EXPECT_EQ(line.at("accuracy"), record.at("clean_accuracy"));
  }
  succeed(dsi + "--set threshold_from=source_validation --set threshold_candidates_percent=[60,95] --set batch_size=1");
  auto again = nlohmann::json::parse(CommandLine::text(shell_ / "run/dsi.json"));
  EXPECT_EQ(again.at("made"), 0);
  EXPECT_EQ(again.at("subsets"), record.at("subsets"));
  EXPECT_NE(succeed("evaluate run").out.find("erm + dsi"), std::string::npos);
  const CommandResult table = succeed("tables run");
  EXPECT_NE(table.out.find("ERM + dsi"), std::string::npos) << table.out;
}

TEST_F(OwnLdm, TranslatorsThatSawTheHeldOutDomainAreRefused) {
  succeed("finetune --ldm ldm --data set --domain sketch --out ldm_sketch --set steps=1 --set batch_size=2");
  succeed(CommandLine::tiny_run("--out run"));
  for (const char* named : {"photo=ldm_sketch", "sketch=ldm", "photo", "phot=ldm"}) {
    const CommandResult refused = shell_.run(std::string("dsi run --ldm ") + named);
    EXPECT_EQ(refused.exit_code, 2) << named << refused.err;
  }
}

// Lengths cut to seconds; everything else is the demo as it is delivered, with its embedded model and data.
TEST(DemoCommand, GoesFromNothingToATableAndPictures) {
  const CommandLine shell;
  const std::string demo =
      "demo --out demo --seeds 1 --set epochs=0 --set steps=3 --set checkpoint_frequency=3 --set classifier.width=4";
  const CommandResult result = shell.run(demo);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"erm", "domainfusion", "CDGA would generate", "pictures", "together"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << part << "\n" << result.out;
  }
  EXPECT_TRUE(std::filesystem::exists(shell / "demo/pictures/round-0000.png"));
  const CommandResult again = shell.run(demo);
  EXPECT_NE(again.err.find("resumed at step 3 of 3"), std::string::npos) << again.err;
  EXPECT_EQ(shell.run(demo + " --set optimizer.lr=0.1").exit_code, 2);
}

}  // namespace domainfusion
