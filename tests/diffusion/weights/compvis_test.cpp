#include <gtest/gtest.h>

#include "diffusion/weights/compvis_layout.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/diffusers_writer.h"
#include "domainfusion/diffusion/latent_diffusion.h"
#include "domainfusion/diffusion/weights/weights_kind.h"
#include "io/formats/made_checkpoint.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

fs::path pipeline_of(bool open_clip) {
  return fs::path(DOMAINFUSION_TEST_DIR) / "parity" / (open_clip ? "sd21-tiny" : "sd15-tiny") / "pipeline";
}

// A .ckpt as torch.save writes it, nested below state_dict, all in float32.
void write_checkpoint(const fs::path& path, const TensorMap& tensors, std::int64_t global_step) {
  std::string pickle =
      "\x80\x02}" + pickled_text("global_step") + pickled_integer(global_step) + "s" + pickled_text("state_dict") + "}";
  std::vector<MadeZipEntry> entries{{"archive/data.pkl", ""}};
  for (const auto& [name, tensor] : tensors) {
    const at::Tensor plain = tensor.to(at::kFloat).contiguous();
    MadeTensor made{.key = std::to_string(entries.size()),
                    .count = plain.numel(),
                    .shape = plain.sizes().vec(),
                    .strides = plain.strides().vec()};
    pickle += pickled_text(name) + pickled_tensor(made) + "s";
    entries.push_back(
        {"archive/data/" + made.key, std::string(static_cast<const char*>(plain.data_ptr()), plain.nbytes())});
  }
  entries[0].content = pickle + "s.";
  std::ofstream(path, std::ios::binary) << made_zip(entries);
}

// Made once: the renaming takes seconds.
const TensorMap& layout_of(bool open_clip) {
  static const TensorMap first = compvis_tensors(pipeline_of(false), false),
                         second = compvis_tensors(pipeline_of(true), true);
  return open_clip ? second : first;
}

class Compvis : public testing::TestWithParam<bool> {
 protected:
  Compvis() {
    copy_pipeline(pipeline_of(GetParam()), folder_ / "diffusers", GetParam());
    options_.tokenizer = folder_ / "diffusers/tokenizer";
    tensors_ = layout_of(GetParam());
  }
  LatentDiffusion load(const std::string& name) { return LatentDiffusion::load(folder_ / name, options_); }
  fs::path write(const TensorMetadata& metadata = {}) {
    save_tensors(folder_ / "model.safetensors", tensors_, metadata);
    return folder_ / "model.safetensors";
  }
  template <class ErrorType>
  std::string load_error() {
    write();
    return message_of<ErrorType>([&] { load("model.safetensors"); });
  }
  TemporaryFolder folder_;
  LdmOptions options_;
  TensorMap tensors_;
};

void expect_same_networks(const LatentDiffusion& a, const LatentDiffusion& b) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(3);
  const at::Tensor image11 = torch::rand({1, 3, 32, 32}), z = torch::randn({1, 4, 8, 8});
  const at::Tensor context = a.embed({"a dog in snow"});
  EXPECT_TRUE(context.allclose(b.embed({"a dog in snow"}), 1e-5, 1e-6));
  const auto close = [](const at::Tensor& x, const at::Tensor& y) { return x.allclose(y, 1e-4, 1e-5); };
  EXPECT_TRUE(close(a.vae()->encode(image11).mean_NChw, b.vae()->encode(image11).mean_NChw));
  EXPECT_TRUE(close(a.vae()->decode(z), b.vae()->decode(z)));
  EXPECT_TRUE(
      close(a.unet()->forward(z, torch::tensor({500}), context), b.unet()->forward(z, torch::tensor({500}), context)));
}

INSTANTIATE_TEST_SUITE_P(, Compvis, testing::Bool(), [](const auto& info) { return info.param ? "sd2" : "sd1"; });

}  // namespace

TEST_P(Compvis, OneFileIsTheModelOfTheDiffusersFolder) {
  write();
  expect_same_networks(load("model.safetensors"), load("diffusers"));
}

TEST_P(Compvis, ACheckpointIsTheModelOfTheDiffusersFolder) {
  write_checkpoint(folder_ / "model.ckpt", tensors_, 7);
  expect_same_networks(load("model.ckpt"), load("diffusers"));
}

TEST_P(Compvis, AFileMadeOfADiffusersFolderHasAllItsTextLayers) {
  if (!GetParam()) GTEST_SKIP() << "Stable Diffusion 1 has the same text encoder in both layouts";
  std::erase_if(tensors_, [](const auto& item) { return item.first.starts_with("cond_stage_model."); });
  tensors_.merge(open_clip_tensors(load_tensors(pipeline_of(true) / "text_encoder/model.safetensors"), 2,
                                   OpenClipFile::kFromDiffusers));
  write();
  expect_same_networks(load("model.safetensors"), load("diffusers"));
}

TEST_P(Compvis, SizesComeFromTheTensors) {
  write();
  const LatentDiffusion model = load("model.safetensors"), reference = load("diffusers");
  const auto config = [](const LatentDiffusion& m) { return m.unet()->config(); };
  EXPECT_EQ(config(model).block_out_channels, config(reference).block_out_channels);
  EXPECT_EQ(config(model).layers_per_block, config(reference).layers_per_block);
  EXPECT_EQ(config(model).down_block_types, config(reference).down_block_types);
  EXPECT_EQ(config(model).cross_attention_dim, config(reference).cross_attention_dim);
  EXPECT_EQ(config(model).use_linear_projection, config(reference).use_linear_projection);
  EXPECT_EQ(model.text_encoder()->parameters().size(), reference.text_encoder()->parameters().size());
}

TEST_P(Compvis, ThePredictionTypeIsDiffusersChoiceOrTheUsers) {
  const auto type = [&](const std::string& name) {
    const LatentDiffusion model = LatentDiffusion::open(folder_ / name, options_);
    return std::pair(model.scheduler_config().at("prediction_type").get<std::string>(), model.image_size_px());
  };
  const std::pair<std::string, std::int64_t> velocity{"v_prediction", 768}, epsilon{"epsilon", 512};
  write();
  EXPECT_EQ(type("model.safetensors"), GetParam() ? velocity : epsilon);
  write({{"global_step", "875000"}});
  EXPECT_EQ(type("model.safetensors"), epsilon);
  write_checkpoint(folder_ / "model.ckpt", tensors_, 875000);
  EXPECT_EQ(type("model.ckpt"), epsilon);
  write_checkpoint(folder_ / "model.ckpt", tensors_, 110000);
  EXPECT_EQ(type("model.ckpt"), GetParam() ? velocity : epsilon);
  const std::string hash = LatentDiffusion::open(folder_ / "model.safetensors", options_).weights_hash();
  options_.prediction_type = "v_prediction";
  EXPECT_EQ(type("model.safetensors"), velocity);
  EXPECT_NE(LatentDiffusion::open(folder_ / "model.safetensors", options_).weights_hash(), hash);
  options_.prediction_type = "velocity";
  EXPECT_THROW(LatentDiffusion::open(folder_ / "model.safetensors", options_), ConfigError);
}

TEST_P(Compvis, ItsTokenizerHasToBeNamed) {
  write();
  EXPECT_NE(message_of<ConfigError>([&] { LatentDiffusion::load(folder_ / "model.safetensors"); }).find("--tokenizer"),
            std::string::npos);
}

TEST_P(Compvis, MissingAndMisshapenTensorsAreListedByTheirPart) {
  tensors_.erase("model.diffusion_model.out.0.bias");
  tensors_.erase("model.diffusion_model.input_blocks.2.0.in_layers.0.weight");
  tensors_["model.diffusion_model.middle_block.0.in_layers.0.weight"] = torch::ones({3});
  tensors_["model.diffusion_model.input_blocks.2.1.extra"] = torch::ones({3});
  const std::string message = load_error<ShapeError>();
  for (const char* part :
       {"model.safetensors, unet", "missing (2)", "conv_norm_out.bias", "down_blocks.0.resnets.1.norm1.weight",
        "unexpected (1): down_blocks.0.attentions.1.extra", "mid_block.resnets.0.norm1.weight is [3]"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }
}

TEST_P(Compvis, TensorsOfNoPartAreLeftOutAndSaid) {
  const std::string encoder = GetParam() ? "cond_stage_model.model." : "cond_stage_model.transformer.";
  for (const std::string& name :
       {std::string("model_sampling.sigmas"), std::string("logit_scale"), std::string("model_ema.decay"),
        std::string("cond_stage_model.logit_scale"), encoder + "logit_scale", encoder + "text_projection.weight",
        std::string("control_model.x"), std::string("scaled_fp8")}) {
    tensors_[name] = torch::ones({1});
  }
  write();
  testing::internal::CaptureStderr();
  const LatentDiffusion model = load("model.safetensors");
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_NE(said.find("tensors belong to no part of Stable Diffusion and are left out: "), std::string::npos);
  EXPECT_NE(said.find("model_sampling.sigmas"), std::string::npos) << said;
  EXPECT_EQ(said.find("model_ema.decay"), std::string::npos) << said;
  expect_same_networks(model, load("diffusers"));
}

TEST_P(Compvis, MissingPartsAreErrors) {
  TensorMap whole = tensors_;
  std::erase_if(tensors_, [](const auto& item) { return item.first.starts_with("first_stage_model."); });
  EXPECT_NE(load_error<FormatError>().find("no VAE"), std::string::npos);
  tensors_ = whole;
  std::erase_if(tensors_, [](const auto& item) { return item.first.starts_with("cond_stage_model."); });
  EXPECT_NE(load_error<FormatError>().find("no text encoder"), std::string::npos);
  tensors_ = whole;
  tensors_["conditioner.embedders.0.x"] = torch::ones({1});
  EXPECT_NE(load_error<FormatError>().find("both text encoders"), std::string::npos);
  tensors_ = {{"w", torch::ones({1})}};
  EXPECT_NE(load_error<FormatError>().find("CompVis"), std::string::npos);
}

TEST_P(Compvis, WrittenAsAFolderItStaysTheSameModel) {
  write();
  const LatentDiffusion model = LatentDiffusion::open(folder_ / "model.safetensors", options_);
  write_diffusers_folder(folder_ / "out", model, std::nullopt);
  EXPECT_FALSE(model.is_loaded(LdmPart::kUnet));
  const LatentDiffusion written = LatentDiffusion::load(folder_ / "out");
  expect_same_networks(written, model);
  EXPECT_EQ(written.image_size_px(), model.image_size_px());
  EXPECT_THROW(write_diffusers_folder(folder_ / "out", model, std::nullopt), ConfigError);
  write_diffusers_folder(folder_ / "half", model, at::kHalf);
  EXPECT_EQ(load_tensors(folder_ / "half/vae/diffusion_pytorch_model.safetensors").at("quant_conv.bias").scalar_type(),
            at::kHalf);
  tensors_.erase("first_stage_model.quant_conv.bias");
  write();
  EXPECT_THROW(write_diffusers_folder(folder_ / "broken",
                                      LatentDiffusion::open(folder_ / "model.safetensors", options_), std::nullopt),
               FormatError);
  for (const auto& entry : fs::directory_iterator(folder_.path())) {
    EXPECT_EQ(entry.path().filename().string().find("broken"), std::string::npos) << entry.path();
  }
}

TEST_P(Compvis, ItsKindIsToldByItsNames) {
  TensorShapes shapes;
  for (const auto& [name, tensor] : tensors_) shapes[name] = tensor.sizes().vec();
  EXPECT_EQ(kind_of_weights(shapes), GetParam() ? "Stable Diffusion 2.x model in CompVis' layout"
                                                : "Stable Diffusion 1.x model in CompVis' layout");
  EXPECT_EQ(kind_of_weights({{"post_quant_conv.weight", {4, 4, 1, 1}}}), "VAE of diffusers, 4 latent channels");
  EXPECT_EQ(kind_of_weights({{"x", {4}}}), "weights of an unknown network");
}

}  // namespace domainfusion
