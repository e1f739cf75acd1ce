// A folder of pictures through the program into a folder of new ones.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "domainfusion/io/files/json_lines.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

const char* const kPictures = "set/photo";  // twenty pictures of 20 x 20 pixels

class GenerateCommand : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  static std::string generate(const std::string& out, const std::string& more = "") {
    return "generate --ldm '" DOMAINFUSION_TEST_DIR "/parity/sd15-tiny/pipeline' --images " + std::string(kPictures) +
           " --out " + out + " --prompt 'a {folder}' --steps 4 " + more;
  }
  CommandResult succeed(const std::string& arguments) {
    CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  std::vector<nlohmann::json> manifest(const std::string& out) {
    return read_json_lines(shell_ / (out + "/manifest.jsonl"));
  }
  // Expects the exit code and all of `words` in the message.
  void expect_error(const std::string& arguments, int exit_code, const std::vector<std::string>& words) {
    const CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    for (const std::string& word : words) EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(GenerateCommand, MakesTheSameTreeAndKeepsWhatItMade) {
  EXPECT_NE(succeed(generate("out", "--scheduler euler_ancestral --seed 3")).out.find("20 images made"),
            std::string::npos);
  ASSERT_EQ(manifest("out").size(), 20u);
  EXPECT_EQ(manifest("out")[19].at("prompt"), "a dog");
  EXPECT_EQ(manifest("out")[19].at("scheduler"), "euler_ancestral");
  EXPECT_EQ(read_image(shell_ / "out/dog/9.png").width, 16);  // 20, rounded down to the VAE's factor
  EXPECT_NE(succeed(generate("out", "--scheduler euler_ancestral --seed 3")).out.find("20 were there already"),
            std::string::npos);
  expect_error(generate("out", "--scheduler euler_ancestral --seed 4"), 2, {"other options", "seed"});
}

TEST_F(GenerateCommand, AKilledRunGoesOnToTheBytesOfAnUninterruptedOne) {
  succeed(generate("whole", "--batch 2"));
  EXPECT_TRUE(shell_.kill_when_exists(generate("killed", "--batch 2"), "killed/cat/1.png", SIGKILL));
  EXPECT_LT(manifest("killed").size(), 20u);
  succeed(generate("killed", "--batch 2"));
  EXPECT_EQ(manifest("killed"), manifest("whole"));
  for (const auto& line : manifest("whole")) {
    const std::string output = line.at("output");
    EXPECT_TRUE(CommandLine::text(shell_ / ("whole/" + output)) == CommandLine::text(shell_ / ("killed/" + output)))
        << output;
  }
}

TEST_F(GenerateCommand, InvertsAndTakesRecipesAndOptions) {
  std::ofstream(shell_ / "recipe.toml") << "mode = \"inversion\"\nstrength = 1.0\n";
  succeed(generate("out", "--recipe recipe.toml --set guidance_scale=2 --inversion-prompt 'a {folder}'"));
  EXPECT_EQ(manifest("out")[0].at("mode"), "inversion");
  EXPECT_EQ(manifest("out")[0].at("scheduler"), "ddim");
  EXPECT_EQ(manifest("out")[0].at("inversion_prompt"), "a cat");
}

TEST_F(GenerateCommand, BrokenPicturesAndWrongOptionsSayWhatIsWrong) {
  std::ofstream(shell_ / "set/photo/cat/3.png", std::ios::trunc);
  expect_error(generate("out"), 3, {"cat/3.png", "1 of the pictures"});
  EXPECT_EQ(manifest("out").size(), 19u);
  expect_error(generate("other", "--scheduler eular"), 2, {"did you mean 'euler'"});
  expect_error(generate("other", "--scheduler ddim_inverse"), 2, {"ddim_inverse"});
  expect_error(generate("other", "--mode inversion --scheduler euler"), 2, {"scheduler = euler"});
  expect_error(generate("other", "--strength 0.1"), 2, {"less than one step"});
  expect_error(generate("other", "--strength 2"), 2, {"strength"});
  expect_error(generate("set/photo/new"), 2, {"inside"});
  expect_error(generate("other", "--images nowhere"), 3, {"nowhere"});
  EXPECT_FALSE(fs::exists(shell_ / "other"));
}

TEST(InspectCommand, ListsTheSchedulers) {
  const CommandLine shell;
  const std::string listed = shell.run("inspect schedulers").out;
  for (const char* name :
       {"ddpm ", "ddim ", "ddim_inverse ", "pndm ", "euler ", "euler_ancestral ", "dpmsolver ", "lcm "}) {
    EXPECT_NE(listed.find(name), std::string::npos) << name;
  }
}

}  // namespace domainfusion
