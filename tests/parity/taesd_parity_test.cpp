// AutoencoderTiny (TAESD) against diffusers, in both published layouts.

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include "domainfusion/diffusion/adapted/vae_folder.h"
#include "domainfusion/diffusion/vae/autoencoder_kl.h"
#include "domainfusion/nn/state_dict.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"
#include "temporary_folder.h"
#include "test_device.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr Tolerance kTinyForward{.relative = 1e-4, .of_rms = 5e-5, .absolute = 0};
constexpr Tolerance kTinyGradient{.relative = 0, .of_rms = 5e-3, .absolute = 0};

AutoencoderKl vae_of(const VaeFolder& folder, bool frozen) {
  AutoencoderKl vae(AutoencoderConfig::from_json(folder.config(), "config.json"));
  adopt_state_dict(*vae, with_zero_biases(folder.weights()), "weights", {}, {.device = test_device()});
  for (at::Tensor& parameter : vae->parameters()) parameter.set_requires_grad(!frozen);
  return vae;
}

void check_taesd(AutoencoderKl vae, const TensorMap& t, const std::string& name) {
  const torch::NoGradGuard no_grad;
  expect_close(vae->encode(t.at("image")).mean_NChw, t.at("latents"), kTinyForward, name + " latents");
  expect_close(vae->decode(t.at("z")), t.at("decoded"), kTinyForward, name + " decoded");
}

void check_taesd_gradients(AutoencoderKl vae, const TensorMap& t) {
  const at::Tensor image = t.at("image").clone().requires_grad_(), z = t.at("z").clone().requires_grad_();
  (vae->encode(image).mean_NChw * t.at("g")).sum().backward();
  expect_close(image.grad(), t.at("grad.image"), kTinyGradient, "grad.image");
  (vae->decode(z) * t.at("g_decoded")).sum().backward();
  expect_close(z.grad(), t.at("grad.z"), kTinyGradient, "grad.z");
}

// The diffusers folder in the layout of the original files.
void write_original_layout(const fs::path& vae, const fs::path& to) {
  TensorMap encoder, decoder;
  for (const auto& [name, tensor] : VaeFolder(vae, false).weights()) {
    const bool encodes = name.starts_with("encoder.layers.");
    const std::string rest = name.substr(15);
    const std::size_t point = rest.find('.');
    const int layer = std::stoi(rest.substr(0, point)) + (encodes ? 0 : 1);
    (encodes ? encoder : decoder)[std::to_string(layer) + rest.substr(point)] = tensor;
  }
  save_tensors(to / "taesd_encoder.safetensors", encoder);
  save_tensors(to / "taesd_decoder.safetensors", decoder);
}

}  // namespace

TEST(TaesdParity, EncodesAndDecodesAsDiffusers) {
  for (const fs::path& folder : reference_cases("taesd.safetensors")) {
    const TensorMap t = on_test_device(load_tensors(folder / "taesd.safetensors"));
    for (const bool frozen : {true, false}) check_taesd(vae_of(VaeFolder(folder / "vae", false), frozen), t, "folder");
    check_taesd_gradients(vae_of(VaeFolder(folder / "vae", false), true), t);
    if (fs::exists(folder / "taesd_encoder.safetensors"))
      check_taesd(vae_of(VaeFolder(folder, false), true), t, "two files");
    const TemporaryFolder scratch;
    write_original_layout(folder / "vae", scratch.path());
    check_taesd(vae_of(VaeFolder(scratch.path(), false), true), t, "made of the folder");
    check_taesd(vae_of(VaeFolder(scratch.path(), true), true), t, "for SDXL");
  }
}

}  // namespace domainfusion
