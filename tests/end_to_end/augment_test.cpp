// CDGA through the program: generation ahead, runs that share it, and the store's upkeep.
#include <gtest/gtest.h>

#include <set>

#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// Two source domains of twenty images, sixteen of them in the IN split.
constexpr std::size_t kImages = 2 * 16;

class AugmentCommand : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  static std::string ldm() { return " --ldm '" DOMAINFUSION_TEST_DIR "/parity/sd15-tiny/pipeline' --set device=cpu "; }
  static std::string augment(const std::string& store, const std::string& more = "") {
    return "augment --data set --test-domain sketch --out " + store + ldm() + "--set cdga.steps=2 " + more;
  }
  static std::string train(const std::string& run, const std::string& more = "") {
    return CommandLine::tiny_run("--algorithm cdga --set cdga.steps=2 --resume --out " + run + ldm() + more);
  }
  CommandResult succeed(const std::string& arguments) {
    CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  void expect_words(const CommandResult& result, int exit_code, const std::vector<std::string>& words) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    for (const std::string& word : words) {
      EXPECT_NE((result.out + result.err).find(word), std::string::npos) << word << "\n" << result.out << result.err;
    }
  }
  // Names and bytes of a store's files, pictures left out.
  // Of whole candidates: a killed process leaves the beginning of a file behind, for `store gc`.
  std::map<std::string, std::string> content(const std::string& store) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(shell_ / store)) {
      const auto name = entry.path().filename().string();
      if (entry.is_regular_file() && name.size() > 64 && !is_partial_file(entry.path()))
        files[name] = CommandLine::text(entry.path());
    }
    return files;
  }
  fs::path some_image(const std::string& store) {
    for (const auto& entry : fs::recursive_directory_iterator(shell_ / store)) {
      if (entry.path().extension() == ".png" && entry.path().filename().string().size() > 64) return entry.path();
    }
    return {};
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(AugmentCommand, MakesTheImagesOnceForAllRuns) {
  expect_words(succeed(augment("store")), 0,
               {"32 images made here, 0 by others", "pictures: store/pictures/without-sketch.png"});
  EXPECT_GT(read_image(shell_ / "store/pictures/without-sketch.png").width, 2 * 16);
  expect_words(succeed(augment("store")), 0, {"0 images made here, 32 by others"});
  const auto before = content("store");
  EXPECT_EQ(before.size(), 2 * kImages);
  expect_words(succeed(train("runs/a", "--candidates store")), 0, {"32 images in 'store', 0 of them made now"});
  succeed(train("runs/b", "--candidates store --set seed=1"));
  EXPECT_EQ(content("store"), before);
  EXPECT_FALSE(fs::exists(shell_ / "runs/a/candidates"));
}

TEST_F(AugmentCommand, AKilledGenerationGoesOnAndARunEndsWithTheBitsOfAnUninterruptedOne) {
  succeed(train("whole", "--set cdga.batch_images=1"));
  const auto some = [&] {
    return fs::exists(shell_ / "killed/candidates") && content("killed/candidates").size() > 10;
  };
  EXPECT_TRUE(shell_.kill_when(train("killed", "--set cdga.batch_images=1"), some, SIGKILL));
  EXPECT_FALSE(fs::exists(shell_ / "killed/checkpoint.safetensors"));
  succeed(train("killed", "--set cdga.batch_images=1"));
  for (const char* file : {"/checkpoint.safetensors", "/best.safetensors", "/candidates.jsonl"}) {
    EXPECT_TRUE(CommandLine::text(shell_ / ("whole" + std::string(file))) ==
                CommandLine::text(shell_ / ("killed" + std::string(file))))
        << file;
  }
}

TEST_F(AugmentCommand, TwoProcessesShareAStoreAtTheSameTime) {
  succeed(augment("alone", "--pictures 0"));
  const std::string program = "'" DOMAINFUSION_BINARY "' --threads 1 ";
  const std::string both = augment("store", "--pictures 0 --set cdga.batch_images=1");
  expect_words(shell_.run(both + "; first=$?; wait $!; exit $((first + $?))", program + both + " &"), 0,
               {"images made"});
  EXPECT_EQ(content("store"), content("alone"));
  expect_words(succeed("store verify store"), 0, {"32 candidates, 0 broken"});
}

TEST_F(AugmentCommand, WorkersShareTheWorkAndTheStoreTellsWhatIsMissing) {
  succeed(augment("alone", "--pictures 0"));
  succeed(augment("store", "--workers 2 --set cdga.batch_images=1"));
  EXPECT_EQ(content("store"), content("alone"));
  EXPECT_FALSE(fs::exists(shell_ / "store/leases"));
  expect_words(succeed("store ls store --missing"), 0,
               {"cdga without sketch: 0 of 32 candidates missing", "0 workers"});
  fs::remove(some_image("store").replace_extension(".json"));
  expect_words(succeed("store ls store --missing"), 0, {"1 of 32 candidates missing"});
  expect_words(succeed(augment("store", "--slurm --workers 3")), 0, {"3 workers in", "sbatch"});
  EXPECT_NE(CommandLine::text(shell_ / "store/sweep.sbatch").find("--array=0-2%3"), std::string::npos);
}

TEST_F(AugmentCommand, AKilledWorkersImagesAreMadeByTheOthers) {
  succeed(augment("alone", "--pictures 0"));
  const auto at_work = [&] { return fs::exists(shell_ / "store/leases") && content("store").size() > 4; };
  EXPECT_TRUE(shell_.kill_when(augment("store", "--pictures 0 --set cdga.batch_images=4"), at_work, SIGKILL));
  succeed(augment("store", "--pictures 0"));
  EXPECT_EQ(content("store"), content("alone"));
}

TEST_F(AugmentCommand, RoundsMadeAheadByTwoWorkersAreThoseOfARun) {
  const std::string options =
      " --algorithm domainfusion --set augmentation.steps=2 --set augmentation.candidates=2 "
      "--set augmentation.budget_share=0 --set augmentation.images_per_round=20 --set augmentation.every_epochs=1 "
      "--set augmentation.batch_images=4 --set loader.batch_size=4 --set steps=8 ";
  const std::string run = CommandLine::tiny_run("--set domainfusion.latent_distillation=off" + options + ldm());
  succeed(run + " --out runs/alone --candidates alone");
  succeed("augment --data set --test-domain sketch --out store --workers 2" + options + ldm());
  expect_words(succeed("store ls store --missing"), 0, {"rounds of domainfusion without sketch: 0 of 80 candidates"});
  EXPECT_EQ(content("store"), content("alone"));
  const auto before = content("store");
  succeed(run + " --out runs/shared --candidates store");
  EXPECT_EQ(content("store"), before);
  for (const char* file : {"/checkpoint.safetensors", "/best.safetensors"}) {
    EXPECT_TRUE(CommandLine::text(shell_ / ("runs/alone" + std::string(file))) ==
                CommandLine::text(shell_ / ("runs/shared" + std::string(file))))
        << file;
  }
}

TEST_F(AugmentCommand, TheStoreIsListedVerifiedAndCleanedUp) {
  succeed(train("run", "--candidates store"));
  succeed(augment("store", "--set cdga.strength=0.6"));
  expect_words(succeed("store ls store"), 0,
               {"cdga: 32 candidates (0 failed) of 32 sources", "\"strength\":0.6", "64 candidates"});
  std::istringstream lines(succeed("store ls store --lines").out);
  std::set<std::string> prompts;
  for (std::string line; std::getline(lines, line);) {
    prompts.insert(nlohmann::json::parse(line).at("key").at("prompt").get<std::string>());
  }
  EXPECT_EQ(prompts.size(), 4u);  // two classes, two destinations; no word of the target
  for (const std::string& prompt : prompts) EXPECT_EQ(prompt.find("sketch"), std::string::npos);

  const fs::path broken = some_image("store");
  fs::resize_file(broken, 30);
  expect_words(shell_.run("store verify store"), 3, {"broken: ", broken.stem().string()});
  expect_words(succeed("store gc store"), 0, {"could be removed", "2 of broken candidates", "0 of unused"});
  EXPECT_TRUE(fs::exists(broken));
  succeed("store gc store --yes --keep-runs run");
  expect_words(succeed("store verify store"), 0, {" 0 broken"});
  EXPECT_LE(content("store").size(), 2 * kImages);
  EXPECT_GE(content("store").size(), 2 * kImages - 2);
  expect_words(succeed(train("again", "--candidates store")), 0, {"32 images"});
  expect_words(succeed("store verify store"), 0, {"32 candidates, 0 broken"});
  expect_words(shell_.run("store gc store --keep-runs nowhere"), 3, {"nowhere"});
  expect_words(shell_.run("store ls nowhere"), 3, {"nowhere"});
}

TEST_F(AugmentCommand, TheStarredVariantIsRefused) {
  expect_words(shell_.run(augment("store", "--set 'cdga.towards=[\"sketch\"]'")), 2, {"CDGA*", "'sketch'"});
  expect_words(shell_.run(augment("store", "--set 'cdga.prompt_template=a sketch of a {class}, {domain}'")), 2,
               {"'sketch'"});
  expect_words(shell_.run(train("run", "--set 'cdga.towards=[\"sketch\"]'")), 2, {"CDGA*"});
  EXPECT_FALSE(fs::exists(shell_ / "run/run.json"));
}

}  // namespace domainfusion
