// Weights of any format through the program: inspected, converted, refused.
#include <gtest/gtest.h>

#include "domainfusion/io/formats/safetensors.h"
#include "end_to_end/command_line.h"

namespace domainfusion {
namespace {

const std::string kTests = DOMAINFUSION_TEST_DIR;
const std::string kPytorch = kTests + "/io/pytorch/";

class WeightsCommands : public testing::Test {
 protected:
  CommandResult succeed(const std::string& arguments) {
    const CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, 0) << arguments << "\n" << result.err;
    return result;
  }
  // One line that says what is wrong, and the exit code.
  void expect_error(const std::string& arguments, int exit_code, const std::string& reason) {
    const CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << arguments << "\n" << result.err;
    EXPECT_NE(result.err.find(reason), std::string::npos) << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << result.err;
  }
  static void expect_words(const std::string& text, const std::vector<std::string>& words) {
    for (const std::string& word : words) EXPECT_NE(text.find(word), std::string::npos) << word << "\n" << text;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(WeightsCommands, InspectionListsTensorsAndSaysWhatTheFileIs) {
  expect_words(succeed("inspect weights " + kPytorch + "legacy.pth").out,
               {"PyTorch (legacy)", "8 tensors", "matrix", "F32", "[3, 4]", "48 B", "metadata epoch: 3"});
  expect_words(succeed("inspect weights " + kTests + "/parity/sd15-tiny/pipeline").out,
               {"CLIP text encoder of transformers, 32 channels", "U-Net of diffusers, conditioned on 32 channels",
                "VAE of diffusers, 4 latent channels", "safetensors"});
}

TEST_F(WeightsCommands, BrokenAndHostileFilesEndWithOneLine) {
  const std::string whole = CommandLine::text(kPytorch + "zip.pth");
  std::ofstream(shell_ / "cut.pth", std::ios::binary) << whole.substr(0, whole.size() / 2);
  expect_error("inspect weights cut.pth", 3, "cut.pth");
  expect_error("inspect weights " + kPytorch + "os_system.pth", 3, "'posix.system'");
  expect_error("inspect weights " + kPytorch + "eval.pth", 3, "'builtins.eval'");
  expect_error("inspect weights nowhere.pth", 3, "nowhere.pth");
  expect_error("inspect weights .", 3, "cut.pth");
  expect_error("convert cut.pth out.safetensors", 3, "cut.pth");
  EXPECT_FALSE(std::filesystem::exists(shell_ / "out.safetensors"));
}

TEST_F(WeightsCommands, ACheckpointBecomesSafetensorsAndNothingIsOverwritten) {
  succeed("convert " + kPytorch + "lightning.ckpt out.safetensors");
  const SafetensorsFile file = SafetensorsFile::open(shell_ / "out.safetensors");
  EXPECT_EQ(file.entries().size(), 8u);
  EXPECT_EQ(file.find("brain")->type, TensorType::kBF16);
  EXPECT_EQ(file.metadata().at("global_step"), "470000");
  expect_error("convert " + kPytorch + "lightning.ckpt out.safetensors", 2, "is there already");
  succeed("convert out.safetensors half.safetensors --dtype float16");
  const SafetensorsFile half = SafetensorsFile::open(shell_ / "half.safetensors");
  EXPECT_EQ(half.find("matrix")->type, TensorType::kF16);
  EXPECT_EQ(half.find("count")->type, TensorType::kI64);
}

TEST_F(WeightsCommands, AModelFolderIsConvertedWhole) {
  succeed("convert " + kTests + "/parity/sd15-tiny/pipeline model --dtype float16");
  expect_words(succeed("inspect weights model").out, {"VAE of diffusers", "F16"});
  EXPECT_TRUE(std::filesystem::exists(shell_ / "model/tokenizer/merges.txt"));
  expect_error("convert " + kTests + "/parity/sd15-tiny/pipeline model", 2, "is there already");
  expect_error("convert " + kPytorch + "zip.pth model2", 3, "CompVis");
}

}  // namespace domainfusion
