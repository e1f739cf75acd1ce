#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "diffusion/weights/compvis_layout.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/diffusers_writer.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/diffusion/weights/weights_kind.h"
#include "temporary_folder.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

at::Tensor xl_prediction(const LatentDiffusion& model) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(5);
  return model.predict(torch::randn({1, 4, 8, 12}), torch::tensor({400}), model.embed({"a dog in snow"}));
}

// The tiny pipeline with the heads and groups that one file of its sizes is taken to have.
fs::path xl_folder(const TemporaryFolder& scratch) {
  fs::copy(kTinySdxl, scratch / "diffusers", fs::copy_options::recursive);
  change_json(scratch / "diffusers/unet/config.json",
              {{"attention_head_dim", nlohmann::json::array({1, 1, 1})}, {"norm_num_groups", 8}, {"sample_size", 128}});
  change_json(scratch / "diffusers/vae/config.json", {{"norm_num_groups", 8}});
  for (const char* part : {"text_encoder", "text_encoder_2"})
    change_json(scratch / ("diffusers/" + std::string(part) + "/config.json"), {{"num_attention_heads", 1}});
  return scratch / "diffusers";
}

// The folder as one file: the U-Net and the VAE have three levels here, of two residual blocks each.
TensorMap xl_tensors(const fs::path& folder) {
  TensorMap made;
  for (const auto& [name, tensor] : load_tensors(folder / "unet/diffusion_pytorch_model.safetensors")) {
    const bool addition = name.starts_with("add_embedding.");
    std::string compvis = addition ? "model.diffusion_model.label_emb.0." + std::string(name[21] == '1' ? "0." : "2.") +
                                         name.substr(name.rfind('.') + 1)
                                   : compvis_unet_name(name);
    // With an attention in the lowest level its upsampler comes third.
    if (name.starts_with("up_blocks.0.upsamplers"))
      compvis = "model.diffusion_model.output_blocks.2.2.conv." + name.substr(name.rfind('.') + 1);
    made[compvis] = tensor;
  }
  for (const auto& [name, tensor] :
       with_current_attention_names(load_tensors(folder / "vae/diffusion_pytorch_model.safetensors"))) {
    std::string plain = name;
    // compvis_vae_name counts the decoder's levels from four.
    for (const int level : {0, 1, 2}) {
      const std::string up = fmt::format("decoder.up_blocks.{}.", level);
      if (name.starts_with(up)) plain = fmt::format("decoder.up_blocks.{}.", level + 1) + name.substr(up.size());
    }
    const bool convolution = name.find(".to_") != std::string::npos && tensor.dim() == 2;
    made[compvis_vae_name(plain)] = convolution ? tensor.unsqueeze(2).unsqueeze(3) : tensor;
  }
  for (const auto& [name, tensor] : load_tensors(folder / "text_encoder/model.safetensors"))
    made["conditioner.embedders.0.transformer." + name] = tensor;
  const TensorMap second = load_tensors(folder / "text_encoder_2/model.safetensors");
  const std::string from = "cond_stage_model.model.", to = "conditioner.embedders.1.model.";
  for (const auto& [name, tensor] : open_clip_tensors(second, 3, OpenClipFile::kFromDiffusers)) {
    if (name.starts_with(from)) made[to + name.substr(from.size())] = tensor;
  }
  made[to + "text_projection"] = second.at("text_projection.weight").t().contiguous();
  made[to + "logit_scale"] = torch::ones({});
  return made;
}

}  // namespace

TEST(Sdxl, OneFileIsTheModelOfTheDiffusersFolder) {
  const TemporaryFolder scratch;
  const fs::path folder = xl_folder(scratch);
  const TensorMap tensors = xl_tensors(folder);
  save_tensors(scratch / "xl.safetensors", tensors);
  LdmOptions options;
  options.tokenizer = folder / "tokenizer";
  const LatentDiffusion file = LatentDiffusion::load(scratch / "xl.safetensors", options),
                        reference = LatentDiffusion::load(folder);
  EXPECT_TRUE(file.is_xl());
  EXPECT_EQ(file.unet()->config().to_json(), reference.unet()->config().to_json());
  EXPECT_TRUE(file.embed({"a dog!"}).allclose(reference.embed({"a dog!"}), 1e-5, 1e-6));
  EXPECT_TRUE(xl_prediction(file).allclose(xl_prediction(reference), 1e-4, 1e-5));
  TensorShapes shapes;
  for (const auto& [name, tensor] : tensors) shapes[name] = tensor.sizes().vec();
  EXPECT_NE(kind_of_weights(shapes).find("XL"), std::string::npos);
}

TEST(Sdxl, ConvertedToAFolderItStaysTheSame) {
  const TemporaryFolder scratch;
  const fs::path folder = xl_folder(scratch);
  save_tensors(scratch / "xl.safetensors", xl_tensors(folder));
  LdmOptions options;
  options.tokenizer = folder / "tokenizer";
  const LatentDiffusion file = LatentDiffusion::open(scratch / "xl.safetensors", options);
  write_diffusers_folder(scratch / "written", file, std::nullopt);
  const LatentDiffusion written = LatentDiffusion::load(scratch / "written");
  EXPECT_TRUE(written.embed({"a house!"}).equal(file.embed({"a house!"})));
  EXPECT_TRUE(xl_prediction(written).equal(xl_prediction(file)));
  EXPECT_TRUE(written.source().zeros_for_empty_prompt());
}

TEST(Sdxl, TheSizeOfTheImagesIsTold) {
  const torch::NoGradGuard no_grad;
  const LatentDiffusion model = LatentDiffusion::load(kTinySdxl);
  const at::Tensor cond = model.embed({"a dog"}), z = torch::ones({1, 4, 8, 12}), t = torch::tensor({400});
  const std::int64_t tokens = model.tokenizer().length();
  const auto with_sizes = [&](const at::Tensor& sizes) {
    const UNetAddition addition{
        cond.slice(1, tokens).flatten(1).slice(1, 0, model.unet()->config().pooled_channels()), sizes, {}};
    return model.unet()->forward(z, t, cond.slice(1, 0, tokens), addition);
  };
  const std::int64_t factor = model.vae()->config().downsampling_factor();
  const auto h = static_cast<float>(8 * factor), w = static_cast<float>(12 * factor);
  EXPECT_TRUE(model.predict(z, t, cond).allclose(with_sizes(torch::tensor({{h, w, 0.0F, 0.0F, h, w}})), 1e-5, 1e-6));
  EXPECT_FALSE(model.predict(z, t, cond).allclose(with_sizes(torch::tensor({{w, h, 0.0F, 0.0F, w, h}})), 1e-5, 1e-6));
}

TEST(Sdxl, PartsThatDoNotBelongTogetherAreRefused) {
  const TemporaryFolder scratch;
  const fs::path folder = xl_folder(scratch);
  fs::remove_all(folder / "text_encoder_2");
  EXPECT_THROW(LatentDiffusion::open(folder), ConfigError);
}

TEST(Taesd, StandsInForTheModelsVae) {
  const torch::NoGradGuard no_grad;
  LdmOptions options;
  options.vae = kTinyTaesd;
  const LatentDiffusion model = LatentDiffusion::load(kTinySd15, options), own = LatentDiffusion::load(kTinySd15);
  EXPECT_NE(model.weights_hash(), own.weights_hash());
  EXPECT_EQ(model.scaling_factor(), 1);
  const at::Tensor image = torch::rand({2, 3, 32, 48});
  const at::Tensor z = model.encode(image);
  EXPECT_EQ(z.sizes(), (std::vector<std::int64_t>{2, 4, 4, 6}));
  EXPECT_EQ(model.decode(z).sizes(), image.sizes());
  EXPECT_TRUE(model.encode(image).equal(z));
  // The plain path gives what the kernels give.
  EXPECT_TRUE(model.encode(image.clone().requires_grad_()).detach().allclose(z, 1e-4, 1e-5));
  options.vae = kTinySd21;
  EXPECT_TRUE(
      LatentDiffusion::load(kTinySd15, options).encode(image).equal(LatentDiffusion::load(kTinySd21).encode(image)));
  options.vae = "nowhere";
  EXPECT_THROW(LatentDiffusion::open(kTinySd15, options), IoError);
}

}  // namespace domainfusion
