// The networks of Stable Diffusion against diffusers' and transformers' numbers.

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <optional>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/text/clip_text_encoder.h"
#include "domainfusion/diffusion/unet/unet_2d_condition.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/nn/state_dict.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"
#include "test_device.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr Tolerance kForward{.relative = 1e-4, .of_rms = 5e-5, .absolute = 0};
constexpr Tolerance kGradient{.relative = 0, .of_rms = 5e-3, .absolute = 0};

// The config of a part, or nullopt (printed) when it is one that this project does not support.
template <class Config>
std::optional<Config> config_of(const fs::path& folder, const std::string& part) {
  const fs::path path = folder / "pipeline" / part / "config.json";
  try {
    return Config::from_json(read_json_object(path), part + "/config.json");
  } catch (const ConfigError& error) {
    leave_out_foreign_case(folder, error.what());
    return std::nullopt;
  }
}

std::string named(const fs::path& folder, const std::string& what) { return folder.filename().string() + " " + what; }

// Frozen weights go through this project's kernels, others through libtorch's operations.
void place(torch::nn::Module& module, bool frozen) {
  adopt_state_dict(module, state_dict_of(module), "weights", {}, {.device = test_device()});
  for (at::Tensor& parameter : module.parameters()) parameter.set_requires_grad(!frozen);
}

void check_text_encoder(const fs::path& folder, bool frozen) {
  const auto config = config_of<ClipTextConfig>(folder, "text_encoder");
  if (!config) return;
  ClipTextEncoder encoder(*config);
  load_state_dict(*encoder, load_tensors(folder / "pipeline/text_encoder/model.safetensors"), "text encoder",
                  {"embeddings.position_ids"});
  place(*encoder, frozen);
  const TensorMap expected = on_test_device(load_tensors(folder / "text_encoder.safetensors"));
  const torch::NoGradGuard no_grad;
  const ClipTextOutput output = encoder(expected.at("input_ids"));
  expect_close(output.last_hidden_state_NLC, expected.at("last_hidden_state"), kForward,
               named(folder, "last_hidden_state"));
  expect_close(output.pooled_NC, expected.at("pooler_output"), kForward, named(folder, "pooler_output"));
  for (std::size_t i = 0; i < output.hidden_states_NLC.size(); ++i) {
    const auto reference = expected.find("hidden_states." + std::to_string(i));
    if (reference == expected.end()) continue;
    expect_close(output.hidden_states_NLC[i].slice(0, 0, 1), reference->second, kForward,
                 named(folder, reference->first));
  }
}

at::Tensor timesteps_of(const std::string& name, const TensorMap& expected) {
  if (name == "out.t_mixed") return expected.at("timesteps_mixed");
  if (name == "out.t_float") return expected.at("timesteps_float");
  return torch::full({expected.at("sample").size(0)}, std::int64_t{std::stoll(name.substr(5))}, torch::kLong)
      .to(test_device());
}

void check_unet_outputs(UNet2dCondition& unet, const TensorMap& expected, const std::string& subject) {
  const torch::NoGradGuard no_grad;
  for (const auto& [name, reference] : expected) {
    if (!name.starts_with("out.")) continue;
    const at::Tensor out =
        unet(expected.at("sample"), timesteps_of(name, expected), expected.at("encoder_hidden_states"));
    expect_close(out, reference, kForward, subject + " " + name);
  }
}

// The reference's loss is the mean squared error against `target` at t = 261.
void check_unet_gradients(UNet2dCondition& unet, const TensorMap& expected, const std::string& subject) {
  const at::Tensor sample = expected.at("sample").clone().requires_grad_();
  const at::Tensor context = expected.at("encoder_hidden_states").clone().requires_grad_();
  const at::Tensor out = unet(sample, torch::full({sample.size(0)}, 261, torch::kLong).to(test_device()), context);
  const at::Tensor loss = torch::mse_loss(out, expected.at("target"));
  loss.backward();
  expect_close(loss.reshape({1}), expected.at("loss"), kForward, subject + " loss");
  expect_close(sample.grad(), expected.at("grad.sample"), kGradient, subject + " grad.sample");
  expect_close(context.grad(), expected.at("grad.encoder_hidden_states"), kGradient,
               subject + " grad.encoder_hidden_states");
  const auto parameters = unet->named_parameters();
  const std::string prefix = "grad.param.";
  for (const auto& [name, reference] : expected) {
    if (!name.starts_with(prefix)) continue;
    expect_close(parameters[name.substr(prefix.size())].grad(), reference, kGradient, subject + " " + name);
  }
}

void check_unet(const fs::path& folder, bool frozen) {
  const auto config = config_of<UNetConfig>(folder, "unet");
  if (!config) return;
  UNet2dCondition unet(*config);
  load_state_dict(*unet, load_tensors(folder / "pipeline/unet/diffusion_pytorch_model.safetensors"), "U-Net");
  place(*unet, frozen);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("unet_") || !name.ends_with(".safetensors")) continue;
    const TensorMap expected = on_test_device(load_tensors(entry.path()));
    check_unet_outputs(unet, expected, named(folder, name));
    if (expected.contains("loss") && !frozen) check_unet_gradients(unet, expected, named(folder, name));
  }
}

void check_frozen_vae(const fs::path& folder) {
  const auto config = config_of<AutoencoderConfig>(folder, "vae");
  if (!config) return;
  const torch::NoGradGuard no_grad;
  AutoencoderKl vae(*config);
  const fs::path weights = folder / "pipeline/vae/diffusion_pytorch_model.safetensors";
  load_state_dict(*vae, with_current_attention_names(load_tensors(weights)), "VAE");
  place(*vae, true);
  const TensorMap expected = on_test_device(load_tensors(folder / "vae.safetensors"));
  const LatentPosterior posterior = vae->encode(expected.at("image"));
  expect_close(posterior.mean_NChw, expected.at("mean"), kForward, named(folder, "frozen vae mean"));
  expect_close(posterior.log_variance_NChw, expected.at("logvar"), kForward, named(folder, "frozen vae logvar"));
  expect_close(vae->decode(expected.at("latents")), expected.at("decoded"), kForward,
               named(folder, "frozen vae decoded"));
}

void check_vae(const fs::path& folder) {
  const auto config = config_of<AutoencoderConfig>(folder, "vae");
  if (!config) return;
  AutoencoderKl vae(*config);
  const fs::path weights = folder / "pipeline/vae/diffusion_pytorch_model.safetensors";
  load_state_dict(*vae, with_current_attention_names(load_tensors(weights)), "VAE");
  place(*vae, false);
  const TensorMap expected = on_test_device(load_tensors(folder / "vae.safetensors"));
  const at::Tensor image = expected.at("image").clone().requires_grad_();
  const LatentPosterior posterior = vae->encode(image);
  expect_close(posterior.mean_NChw, expected.at("mean"), kForward, named(folder, "vae mean"));
  expect_close(posterior.log_variance_NChw, expected.at("logvar"), kForward, named(folder, "vae logvar"));
  expect_close(posterior.sample(expected.at("eps")), expected.at("sample"), kForward, named(folder, "vae sample"));
  expect_close(vae->decode(posterior.mean_NChw), expected.at("reconstruction"), kForward,
               named(folder, "vae reconstruction"));
  (posterior.mean_NChw * expected.at("g")).sum().backward();
  expect_close(image.grad(), expected.at("grad.image"), kGradient, named(folder, "vae grad.image"));
  const at::Tensor latents = expected.at("latents").clone().requires_grad_();
  const at::Tensor decoded = vae->decode(latents);
  expect_close(decoded, expected.at("decoded"), kForward, named(folder, "vae decoded"));
  (decoded * expected.at("g_decoded")).sum().backward();
  expect_close(latents.grad(), expected.at("grad.latents"), kGradient, named(folder, "vae grad.latents"));
}

}  // namespace

TEST(NetworksParity, TextEncodersGiveTransformersHiddenStates) {
  for (const fs::path& folder : reference_cases("text_encoder.safetensors")) {
    for (const bool frozen : {false, true}) check_text_encoder(folder, frozen);
  }
}

TEST(NetworksParity, UNetsGiveDiffusersPredictionsAndGradients) {
  for (const fs::path& folder : reference_cases("pipeline/unet/config.json")) {
    for (const bool frozen : {false, true}) check_unet(folder, frozen);
  }
}

TEST(NetworksParity, AutoencodersGiveDiffusersLatentsImagesAndGradients) {
  for (const fs::path& folder : reference_cases("vae.safetensors")) {
    check_vae(folder);
    check_frozen_vae(folder);
  }
}

// A config that was read and written again describes the same network.
TEST(NetworksParity, ConfigsSurviveBeingWritten) {
  for (const fs::path& folder : reference_cases("pipeline/unet/config.json")) {
    if (const auto c = config_of<UNetConfig>(folder, "unet")) {
      EXPECT_EQ(UNetConfig::from_json(c->to_json(), "unet").to_json(), c->to_json());
    }
    if (const auto c = config_of<AutoencoderConfig>(folder, "vae")) {
      EXPECT_EQ(AutoencoderConfig::from_json(c->to_json(), "vae").to_json(), c->to_json());
    }
    if (const auto c = config_of<ClipTextConfig>(folder, "text_encoder")) {
      EXPECT_EQ(ClipTextConfig::from_json(c->to_json(), "text").to_json(), c->to_json());
    }
  }
}

}  // namespace domainfusion
