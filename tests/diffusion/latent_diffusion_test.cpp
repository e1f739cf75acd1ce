#include "domainfusion/diffusion/latent_diffusion.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

template <class ErrorType>
std::string load_error(const fs::path& folder) {
  try {
    LatentDiffusion::load(folder);
    return "loaded";
  } catch (const ErrorType& error) {
    return error.what();
  }
}

}  // namespace

class BrokenModel : public testing::Test {
 protected:
  BrokenModel() { fs::copy(kTinySd15, folder_ / "m", fs::copy_options::recursive); }
  fs::path part(const std::string& name) { return folder_ / "m" / name; }
  TemporaryFolder folder_;
};

TEST(LatentDiffusion, ItsPartsWorkTogether) {
  const LatentDiffusion model = LatentDiffusion::load(kTinySd15);
  EXPECT_EQ(model.image_size_px(), 64);
  EXPECT_EQ(model.latent_shape(), (std::vector<std::int64_t>{4, 8, 8}));
  EXPECT_EQ(model.provenance(), nullptr);
  EXPECT_EQ(model.weights_hash(), LatentDiffusion::load(kTinySd15).weights_hash());
  const at::Tensor image = torch::rand({2, 3, 64, 64}).requires_grad_();
  const at::Tensor z = model.encode(image);
  EXPECT_EQ(z.sizes(), at::IntArrayRef({2, 4, 8, 8}));
  const at::Tensor cond = model.embed({"a dog", "a cat"});
  EXPECT_TRUE(cond[1].equal(model.embed({"a cat"})[0]));
  model.predict_epsilon(z, torch::tensor({5, 900}), cond).sum().backward();
  EXPECT_GT(image.grad().abs().sum().item<double>(), 0);
  const at::Tensor decoded = model.decode(z);
  EXPECT_TRUE((decoded >= 0).all().item<bool>() && (decoded <= 1).all().item<bool>());
}

TEST(LatentDiffusion, APromptThatIsCutIsSaidOnce) {
  const LatentDiffusion model = LatentDiffusion::open(kTinySd15);
  std::string prompt;
  for (std::int64_t i = 2; i < model.tokenizer().length(); ++i) prompt += "a ";
  testing::internal::CaptureStderr();
  model.embed({prompt});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  testing::internal::CaptureStderr();
  model.embed({prompt + "cat"});
  model.embed({prompt + "cat"});
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("cut off: 'cat'"), std::string::npos) << said;
  EXPECT_EQ(said.find("cut off", said.find("cut off") + 1), std::string::npos) << said;
}

TEST_F(BrokenModel, WrongShapedWeightsAreListedAllTogether) {
  const fs::path file = part("unet/diffusion_pytorch_model.safetensors");
  TensorMap weights = load_tensors(file);
  weights["conv_in.weight"] = torch::zeros({8, 5, 3, 3});
  weights["conv_out.bias"] = torch::zeros({3});
  save_tensors(file, weights);
  const std::string message = load_error<ShapeError>(folder_ / "m");
  for (const char* expected :
       {"/unet'", "of another shape (2)", "conv_in.weight is [8, 5, 3, 3]", "conv_out.bias is [3]"}) {
    EXPECT_NE(message.find(expected), std::string::npos) << message;
  }
}

TEST_F(BrokenModel, TruncatedMissingAndForeignPartsNameThemselves) {
  fs::resize_file(part("vae/diffusion_pytorch_model.safetensors"), 5000);
  EXPECT_NE(load_error<FormatError>(folder_ / "m").find("/vae"), std::string::npos);
  fs::remove(part("vae/diffusion_pytorch_model.safetensors"));
  EXPECT_NE(load_error<IoError>(folder_ / "m").find("safetensors"), std::string::npos);
  EXPECT_NE(load_error<IoError>(folder_ / "absent").find("is not a folder"), std::string::npos);
}

TEST_F(BrokenModel, PartsThatDoNotBelongTogetherAreRefused) {
  const fs::path other = kTinySd21 / "text_encoder";
  fs::copy(other, part("text_encoder"), fs::copy_options::recursive | fs::copy_options::overwrite_existing);
  EXPECT_NE(load_error<ConfigError>(folder_ / "m").find("hidden_size 24"), std::string::npos);
}

TEST_F(BrokenModel, ProvenanceIsReadFromItsFile) {
  std::ofstream(part("domainfusion.json")) << R"({"domains": ["photo"]})";
  const LatentDiffusion model = LatentDiffusion::load(folder_ / "m");
  ASSERT_NE(model.provenance(), nullptr);
  EXPECT_EQ((*model.provenance())["domains"][0], "photo");
  std::ofstream(part("domainfusion.json")) << "[]";
  EXPECT_NE(load_error<FormatError>(folder_ / "m").find("domainfusion.json"), std::string::npos);
}

}  // namespace domainfusion
