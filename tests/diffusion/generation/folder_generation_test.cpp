#include "domainfusion/diffusion/generation/folder_generation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/data/transforms/image_tensor.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/diffusion/generation/generation_folder.h"
#include "domainfusion/diffusion/generation/image_checks.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class FolderGenerationTest : public testing::Test {
 protected:
  FolderGenerationTest() {
    config_.prompt = "a {folder}";
    config_.steps = 4;
    config_.batch_size = 2;
    add_picture("photo/dog/1.png", 1);
    add_picture("photo/dog/2.png", 2);
    add_picture("photo/house/1.png", 3);
  }

  void add_picture(const std::string& name, std::uint64_t seed, int height = 32, int width = 32) {
    RandomStream stream(seed, "picture");
    Image image{height, width, {}};
    for (int i = 0; i < height * width * 3; ++i) image.rgb.push_back(static_cast<std::uint8_t>(stream.below(256)));
    fs::create_directories((folder_ / "in" / name).parent_path());
    write_png(folder_ / "in" / name, image);
  }
  FolderReport generate(const std::string& out = "out", const std::function<bool()>& should_stop = {}) {
    return generate_folder(model_, config_, folder_ / "in", folder_ / out, should_stop);
  }
  std::string bytes(const std::string& name) { return read_file(folder_ / name); }
  std::vector<nlohmann::json> manifest(const std::string& out = "out") {
    return read_json_lines(folder_ / out / "manifest.jsonl");
  }
  template <class ErrorType>
  std::string refusal() {
    return message_of<ErrorType>([&] { generate(); });
  }

  TemporaryFolder folder_;
  GenerateConfig config_;
  LatentDiffusion model_ = LatentDiffusion::load(kTinySd15);
};

}  // namespace

TEST_F(FolderGenerationTest, AFolderBecomesAFolderOfTheSameTreeWithALineForEachImage) {
  const FolderReport report = generate();
  EXPECT_EQ(report.made, 3);
  ASSERT_EQ(manifest().size(), 3u);
  const nlohmann::json line = manifest()[2];
  EXPECT_EQ(line["source"], "photo/house/1.png");
  EXPECT_EQ(line["source_hash"], sha256_hex(bytes("in/photo/house/1.png")));
  EXPECT_EQ(line["output"], "photo/house/1.png");
  EXPECT_EQ(line["output_hash"], sha256_hex(bytes("out/photo/house/1.png")));
  EXPECT_EQ(line["prompt"], "a house");
  EXPECT_EQ(line["negative_prompt"], "");
  EXPECT_EQ(line["seed"], 0);
  EXPECT_EQ(line["strength"], 0.5);
  EXPECT_EQ(line["steps"], 4);
  EXPECT_EQ(line["guidance_scale"], 5.0);
  EXPECT_EQ(line["scheduler"], "pndm");  // of the model's own file
  EXPECT_EQ(line["mode"], "img2img");
  EXPECT_EQ(line["weights_hash"], model_.weights_hash());
  EXPECT_EQ(read_image(folder_ / "out/photo/house/1.png").height, 32);
}

TEST_F(FolderGenerationTest, ARunThatWasStoppedGoesOnToTheSameBytes) {
  generate("whole");
  int batches = 0;
  EXPECT_TRUE(generate("out", [&] { return ++batches == 1; }).stopped);
  EXPECT_EQ(manifest().size(), 2u);
  // As a kill leaves it: a picture without its line, and half a line.
  fs::copy(folder_ / "whole/photo/house", folder_ / "out/photo/house", fs::copy_options::recursive);
  std::ofstream(folder_ / "out/manifest.jsonl", std::ios::app) << "{\"source\": \"pho";
  const FolderReport report = generate();
  EXPECT_EQ(report.made, 1);
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(manifest(), manifest("whole"));
  for (const char* name : {"photo/dog/1.png", "photo/dog/2.png", "photo/house/1.png"}) {
    EXPECT_TRUE(bytes(std::string("whole/") + name) == bytes(std::string("out/") + name)) << name;
  }
  EXPECT_EQ(generate().kept, 3);
}

TEST_F(FolderGenerationTest, AnImageDependsOnItsContentAndTheSeedAlone) {
  generate();
  fs::copy(folder_ / "in/photo/dog/2.png", folder_ / "in/photo/dog/0.png");  // another name and place in the batches
  generate("more");
  const Image before = read_image(folder_ / "out/photo/dog/2.png");
  EXPECT_TRUE(is_same_picture(read_image(folder_ / "more/photo/dog/0.png"), before));
  EXPECT_TRUE(is_same_picture(read_image(folder_ / "more/photo/dog/2.png"), before));
  set_threads(2);
  config_.batch_size = 1;
  generate("single");
  set_threads(1);
  EXPECT_TRUE(is_same_picture(read_image(folder_ / "single/photo/dog/2.png"), before));
  config_.seed = 1;
  generate("seed");
  EXPECT_FALSE(is_same_picture(read_image(folder_ / "seed/photo/dog/2.png"), before));
}

TEST_F(FolderGenerationTest, StrengthZeroIsTheRoundTripThroughTheVae) {
  config_.strength = 0;
  generate();
  const Image source = read_image(folder_ / "in/photo/dog/1.png");
  at::Tensor image01 = torch::from_blob(const_cast<std::uint8_t*>(source.rgb.data()), {32, 32, 3}, torch::kByte);
  image01 = image01.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat) / 255;
  const at::Tensor expected =
      (model_.decode(model_.encode(image01))[0] * 255).round().to(torch::kByte).permute({1, 2, 0}).contiguous();
  const Image made = read_image(folder_ / "out/photo/dog/1.png");
  EXPECT_TRUE(
      is_same_picture(made, {32, 32, {expected.data_ptr<std::uint8_t>(), expected.data_ptr<std::uint8_t>() + 3072}}));
}

TEST_F(FolderGenerationTest, SizesAreRoundedDownOrThoseThatAreAskedFor) {
  add_picture("wide.png", 5, 37, 50);
  generate();
  Image made = read_image(folder_ / "out/wide.png");
  EXPECT_EQ(made.height, 32);
  EXPECT_EQ(made.width, 48);
  config_.size_px = 24;
  generate("square");
  made = read_image(folder_ / "square/wide.png");
  EXPECT_EQ(made.height, 24);
  EXPECT_EQ(made.width, 24);
  config_.size_px = 30;
  EXPECT_NE(refusal<ConfigError>().find("multiple of 8"), std::string::npos);
}

TEST_F(FolderGenerationTest, PicturesThatCannotBeReadAreReportedAndTheOthersMade) {
  folder_.write("in/photo/dog/0.jpg", "");
  folder_.write("in/photo/dog/3.png", "no picture");
  add_picture("photo/dog/4.png", 9, 4, 4);  // smaller than the VAE's factor
  folder_.write("in/readme.txt", "passed over");
  const FolderReport report = generate();
  EXPECT_EQ(report.made, 3);
  ASSERT_EQ(report.broken.size(), 3u);
  EXPECT_EQ(report.broken[0].path, "photo/dog/0.jpg");
  EXPECT_NE(report.broken[2].cause.find("at least 8"), std::string::npos) << report.broken[2].cause;
}

TEST_F(FolderGenerationTest, ResultsThatAreNoImagesAreReportedAndNotWritten) {
  const fs::path broken = folder_ / "model";
  fs::copy(kTinySd15, broken, fs::copy_options::recursive);
  TensorMap weights = load_tensors(broken / "vae/diffusion_pytorch_model.safetensors");
  weights.at("decoder.conv_out.bias").fill_(std::numeric_limits<float>::quiet_NaN());
  fs::permissions(broken / "vae/diffusion_pytorch_model.safetensors", fs::perms::owner_write, fs::perm_options::add);
  save_tensors(broken / "vae/diffusion_pytorch_model.safetensors", weights);
  model_ = LatentDiffusion::load(broken);
  const FolderReport report = generate();
  EXPECT_EQ(report.made, 0);
  ASSERT_EQ(report.failed.size(), 3u);
  EXPECT_EQ(report.failed[0].cause, kNotFinite);
  EXPECT_FALSE(fs::exists(folder_ / "out/photo"));
  EXPECT_TRUE(manifest().empty());
}

TEST_F(FolderGenerationTest, OneProcessAtATimeHasTheFolder) {
  const nlohmann::json options{{"seed", 1}};
  const std::string message = message_of<IoError>(
      [&] { const GenerationFolder first(folder_ / "shared", options), second(folder_ / "shared", options); });
  EXPECT_NE(message.find("in use by another process"), std::string::npos) << message;
  EXPECT_NO_THROW(GenerationFolder(folder_ / "shared", options));
}

TEST_F(FolderGenerationTest, NothingIsOverwritten) {
  generate();
  const std::string first = bytes("out/photo/dog/1.png");
  config_.prompt = "another";
  EXPECT_NE(refusal<ConfigError>().find("options/prompt was"), std::string::npos) << refusal<ConfigError>();
  config_.prompt = "a {folder}";
  folder_.write("out/photo/dog/3.png", bytes("in/photo/dog/1.png"));
  add_picture("photo/dog/3.png", 7);
  EXPECT_NE(refusal<ConfigError>().find("photo/dog/3.png"), std::string::npos);
  add_picture("photo/dog/1.png", 8);
  EXPECT_NE(refusal<ConfigError>().find("has changed"), std::string::npos);
  EXPECT_TRUE(bytes("out/photo/dog/1.png") == first);
  EXPECT_NE(message_of<ConfigError>([&] { generate("in/photo/new"); }).find("inside"), std::string::npos);
  EXPECT_NE(message_of<ConfigError>([&] { generate("in"); }).find("inside"), std::string::npos);
  folder_.write("full/notes.txt", "mine");
  EXPECT_NE(message_of<ConfigError>([&] { generate("full"); }).find("not empty"), std::string::npos);
}

TEST_F(FolderGenerationTest, PicturesThatDifferInTheirEndingAloneKeepIt) {
  fs::copy(folder_ / "in/photo/dog/1.png", folder_ / "in/photo/dog/1.jpg");
  generate();
  EXPECT_TRUE(fs::exists(folder_ / "out/photo/dog/1.png.png"));
  EXPECT_TRUE(fs::exists(folder_ / "out/photo/dog/1.jpg.png"));
  EXPECT_TRUE(fs::exists(folder_ / "out/photo/dog/2.png"));
}

TEST_F(FolderGenerationTest, EveryPictureGetsANameOfItsOwn) {
  // 1.jpg and 1.png keep their endings, so 1.jpg.png must too; "2.png" is also a folder.
  fs::copy(folder_ / "in/photo/dog/1.png", folder_ / "in/photo/dog/1.jpg");
  add_picture("photo/dog/1.jpg.png", 4);
  fs::rename(folder_ / "in/photo/dog/2.png", folder_ / "in/photo/dog/2.jpg");
  add_picture("photo/dog/2.png/3.png", 5);
  EXPECT_EQ(generate().made, 6);
  for (const char* name : {"1.png.png", "1.jpg.png", "1.jpg.png.png", "2.jpg.png", "2.png/3.png"})
    EXPECT_TRUE(fs::is_regular_file(folder_ / "out/photo/dog" / name)) << name;
}

TEST_F(FolderGenerationTest, TransparentPicturesAreOnWhiteUnlessToldOtherwise) {
  const fs::path in = folder_ / "in/photo/dog/1.png";
  fs::copy_file(DOMAINFUSION_TEST_DIR "/parity/decoding/hidden_black.png", in, fs::copy_options::overwrite_existing);
  config_.strength = 0;
  config_.size_px = 16;
  generate();
  config_.alpha = Alpha::kDrop;
  generate("dropped");
  const auto made_of = [&](Alpha alpha) {
    const Image source = resize(read_image(in, alpha), 16, 16, Filter::kLanczos);
    const at::Tensor image01 = image_to_tensor01(source).unsqueeze(0);
    return tensor01_to_image(model_.decode(model_.encode(image01))[0]);
  };
  EXPECT_TRUE(is_same_picture(read_image(folder_ / "out/photo/dog/1.png"), made_of(Alpha::kWhite)));
  EXPECT_TRUE(is_same_picture(read_image(folder_ / "dropped/photo/dog/1.png"), made_of(Alpha::kDrop)));
  // A folder that does not say what it did dropped the alpha.
  nlohmann::json options = nlohmann::json::parse(bytes("dropped/generate.json"));
  options["options"].erase("alpha");
  folder_.write("dropped/generate.json", options.dump());
  EXPECT_EQ(generate("dropped").kept, 3);
  config_.alpha = Alpha::kWhite;
  EXPECT_NE(message_of<ConfigError>([&] { generate("dropped"); }).find("options/alpha"), std::string::npos);
}

}  // namespace domainfusion
