// Whatever is wrong with the input, the program says what, where and how to mend it, and leaves with the right code.
#include <gtest/gtest.h>

#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

class BadInput : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  // Expects the exit code and every one of `words` in the message.
  void expect_error(const CommandResult& result, int exit_code, const std::vector<std::string>& words) {
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_NE(result.err.find("error: "), std::string::npos) << result.err;
    for (const std::string& word : words) EXPECT_NE(result.err.find(word), std::string::npos) << result.err;
  }
  CommandResult train(const std::string& more, const std::string& data = "set", const std::string& before = "") {
    return shell_.run(CommandLine::tiny_run("--out run " + more, data), before);
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(BadInput, AMissingFolder) { expect_error(train("", "nowhere"), 3, {"nowhere"}); }

TEST_F(BadInput, AnEmptyDomain) {
  std::filesystem::create_directory(shell_ / "set/empty_one");
  expect_error(train(""), 3, {"empty_one"});
}

TEST_F(BadInput, ASetOfOneClass) {
  for (const char* domain : {"cartoon", "photo", "sketch"})
    std::filesystem::remove_all(shell_ / "set" / domain / "dog");
  expect_error(train(""), 3, {"class"});
}

TEST_F(BadInput, AnUnknownTestDomain) {
  expect_error(train("--test-domain sketh"), 2, {"sketh", "did you mean 'sketch'"});
}

TEST_F(BadInput, AnUnknownOptionOfTheConfiguration) {
  expect_error(train("--set optimzer.lr=1"), 2, {"optimzer.lr", "did you mean 'optimizer.lr'"});
  expect_error(train("--set optimizer.lr=-1"), 2, {"optimizer.lr"});
  std::ofstream(shell_ / "recipe.toml") << "[optimizer]\nlr = 1\nmomentun = 2\n";
  expect_error(train("--recipe recipe.toml"), 2, {"recipe.toml", "optimizer.momentun"});
  expect_error(train("--set lr=1"), 2, {"did you mean 'optimizer.lr'"});
  expect_error(train("--set distillation.encoder=exact"), 2,
               {"option of the algorithm domainfusion, and this run's is erm"});
}

TEST_F(BadInput, AnUnknownWordOfTheCommandLine) {
  expect_error(shell_.run("trian --data set"), 2, {"unknown command 'trian'", "did you mean 'train'"});
  expect_error(shell_.run("inspect premis"), 2, {"inspect: unknown command 'premis'", "did you mean 'premise'"});
  expect_error(shell_.run("generate --strenght 0.5"), 2,
               {"generate: unknown option '--strenght'", "did you mean '--strength'"});
  expect_error(shell_.run("--thread 1 train"), 2, {"did you mean '--threads'"});
  expect_error(shell_.run("--data x train"), 2, {"'--data' stands before the command"});
  expect_error(shell_.run("inspect premise"), 2, {"--ldm is required", "`domainfusion inspect premise --help`"});
  expect_error(shell_.run("compare a b --selection leave-one-out"), 2,
               {"leave-one-out", "leave_one_out", "training_domain"});
  expect_error(shell_.run(""), 2, {"subcommand"});
}

TEST_F(BadInput, WeightsOfAnotherShapeAreAllListed) {
  ASSERT_EQ(shell_.run(CommandLine::tiny_run("--out wide --set classifier.width=6")).exit_code, 0);
  expect_error(train("--set classifier.weights=wide/best.safetensors"), 3,
               {"wide/best.safetensors", "conv1.weight", "layer4.1.conv2.weight"});
}

TEST_F(BadInput, TruncatedAndOversizedWeightFiles) {
  ASSERT_EQ(shell_.run(CommandLine::tiny_run("--out wide")).exit_code, 0);
  const std::string whole = CommandLine::text(shell_ / "wide/best.safetensors");
  std::ofstream(shell_ / "cut.safetensors", std::ios::binary) << whole.substr(0, whole.size() / 2);
  expect_error(train("--set classifier.weights=cut.safetensors"), 3, {"cut.safetensors"});
  std::ofstream(shell_ / "huge.safetensors", std::ios::binary) << std::string(8, '\x7f') << "{}";
  expect_error(train("--set classifier.weights=huge.safetensors"), 3, {"huge.safetensors"});
}

TEST_F(BadInput, AnImageOfZeroBytes) {
  std::ofstream(shell_ / "set/photo/cat/3.png", std::ios::trunc);
  expect_error(train(""), 3, {"photo/cat/3.png"});
  const CommandResult skipped = train("--overwrite --skip-broken-images");
  EXPECT_EQ(skipped.exit_code, 0) << skipped.err;
  EXPECT_NE(skipped.err.find("photo/cat/3.png"), std::string::npos) << skipped.err;
}

TEST_F(BadInput, ARunFolderBelowARegularFile) {
  std::ofstream(shell_ / "file") << "x";
  expect_error(shell_.run(CommandLine::tiny_run("--out file/run")), 3, {"file' is a file"});
}

TEST_F(BadInput, ADiskThatIsFull) {
  expect_error(train("", "set", "ulimit -f 64;"), 3, {"safetensors"});
  EXPECT_FALSE(std::filesystem::exists(shell_ / "run/best.safetensors"));
  EXPECT_EQ(shell_.run("inspect backbones > /dev/full").exit_code, 3);
  EXPECT_EQ(shell_.run("train --help > /dev/full").exit_code, 3);
}

TEST_F(BadInput, AnErrorThatCannotBePrintedStillHasItsExitCode) {
  EXPECT_EQ(shell_.run("trian 2>&-").exit_code, 2);
  EXPECT_EQ(shell_.run("evaluate set 2> /dev/full").exit_code, 3);
  EXPECT_EQ(shell_.run("inspect backbones >&-").exit_code, 3);
}

TEST_F(BadInput, ALossThatIsNotFinite) {
  expect_error(train("--set optimizer.lr=1e30"), 1, {"diverged", "optimizer.lr"});
  EXPECT_FALSE(std::filesystem::exists(shell_ / "run/checkpoint.safetensors"));
}

TEST_F(BadInput, AFolderThatIsNoRun) {
  expect_error(shell_.run("evaluate set"), 3, {"no run.json"});
  expect_error(shell_.run("predict set set/photo/cat/0.png"), 3, {"no run.json"});
}

}  // namespace domainfusion
