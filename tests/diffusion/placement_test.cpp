#include "domainfusion/core/machine/placement.h"

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <functional>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/checked_generation.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "temporary_folder.h"
#include "test_device.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

const fs::path kTests = DOMAINFUSION_TEST_DIR;

LatentDiffusion load(const fs::path& folder, at::ScalarType dtype) {
  LdmOptions options;
  options.placement = {test_device(), dtype};
  return LatentDiffusion::load(folder, options);
}

at::Tensor image() {
  const at::Tensor side = torch::linspace(0, 1, 64);
  return torch::stack(
             {side.unsqueeze(0).expand({64, 64}), side.unsqueeze(1).expand({64, 64}), 1 - side.expand({64, 64})})
      .unsqueeze(0);
}

ImageToImageRequest request() {
  ImageToImageRequest request;
  request.image01_N3HW = image();
  request.prompts = {"a dog"};
  request.noise_streams.emplace_back(7, "test", std::initializer_list<std::uint64_t>{1});
  request.steps = 4;
  request.strength = 0.5;
  request.guidance_scale = 3;
  return request;
}

double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  EXPECT_EQ(actual.device(), expected.device());
  return ((actual - expected).square().mean() / expected.square().mean()).sqrt().item<double>();
}

}  // namespace

TEST(Placement, NamesAreRead) {
  EXPECT_EQ(device_of("cpu"), at::Device(at::kCPU));
  EXPECT_EQ(placement_of("cpu", "bfloat16"), (Placement{at::kCPU, at::kBFloat16}));
  EXPECT_EQ(name_of(dtype_of("float16")), "float16");
  EXPECT_THROW(device_of("tpu!"), ConfigError);
  EXPECT_THROW(dtype_of("int8"), ConfigError);
  EXPECT_THROW(placement_of("cpu", "float16"), ConfigError);
}

// Parameters: the model's folder.
class ComputingIn : public testing::TestWithParam<const char*> {
 protected:
  fs::path folder_ = kTests / "parity" / GetParam() / "pipeline";
};

TEST_P(ComputingIn, Bfloat16TheNetworksStayCloseToFloat32) {
  const LatentDiffusion exact = load(folder_, at::kFloat), rough = load(folder_, at::kBFloat16);
  EXPECT_EQ(rough.unet()->parameters().front().scalar_type(), at::kBFloat16);
  const torch::NoGradGuard no_grad;
  const at::Tensor z = exact.encode(image()), t = torch::tensor({400});
  EXPECT_EQ(z.device(), test_device());
  const at::Tensor encoded = rough.encode(image()), decoded = rough.decode(z);
  const at::Tensor predicted = rough.predict_epsilon(z, t, rough.embed({"a dog"}));
  for (const at::Tensor& made : {encoded, decoded, predicted}) EXPECT_EQ(made.scalar_type(), at::kFloat);
  // Not the bits of float32, but close: a rounding to eight bits is 0.2 %. These random U-Nets make much of rounding:
  // the 3e-8 of float32 grow to 1e-5, 300 times as much.
  const auto expect_close = [](const at::Tensor& actual, const at::Tensor& expected, double tolerance) {
    EXPECT_LT(relative_error(actual, expected), tolerance);
    EXPECT_GT(relative_error(actual, expected), 1e-4);
  };
  expect_close(encoded, z, 0.1);  // 0.025 with AVX-512, 0.061 without: libtorch rounds at other places there
  expect_close(decoded, exact.decode(z), 0.03);
  expect_close(predicted, exact.predict_epsilon(z, t, exact.embed({"a dog"})), 0.1);
  EXPECT_TRUE(rough.computing_in(at::kFloat).encode(image()).equal(z));
}

TEST(Placement, AModelInAnotherTypeIsReadOnceAndReleasedWithItsModel) {
  const LatentDiffusion rough = load(kTests / "parity/sd15-tiny/pipeline", at::kBFloat16);
  EXPECT_EQ(rough.computing_in(at::kBFloat16).vae().ptr(), rough.vae().ptr());
  const LatentDiffusion exact = rough.computing_in(at::kFloat);
  EXPECT_FALSE(exact.is_loaded(LdmPart::kVae));
  EXPECT_EQ(rough.computing_in(at::kFloat).vae().ptr(), exact.vae().ptr());
  rough.release(LdmPart::kVae);
  EXPECT_FALSE(exact.is_loaded(LdmPart::kVae));
}

TEST_P(ComputingIn, Bfloat16GradientsPassTheNetworks) {
  const LatentDiffusion exact = load(folder_, at::kFloat), rough = load(folder_, at::kBFloat16);
  const auto gradient = [](at::Tensor input, const std::function<at::Tensor(const at::Tensor&)>& network) {
    input = input.detach().clone().requires_grad_();
    network(input).square().sum().backward();
    return input.grad();
  };
  const auto through_vae = [&](const LatentDiffusion& model) {
    return gradient(image(), [&](const at::Tensor& x) { return model.encode(x); });
  };
  const auto through_unet = [&](const LatentDiffusion& model) {
    return gradient(exact.encode(image()), [&](const at::Tensor& z) {
      return model.predict(z, torch::tensor({400}), model.embed({"a dog"}));
    });
  };
  // Rounding the weights of the U-Nets alone moves their gradients by 0.12; the VAE's move by 0.21 without AVX-512.
  EXPECT_LT(relative_error(through_vae(rough), through_vae(exact)), 0.3);
  EXPECT_LT(relative_error(through_unet(rough), through_unet(exact)), 0.3);
}

INSTANTIATE_TEST_SUITE_P(Models, ComputingIn, testing::Values("sd15-tiny", "sd21-tiny"),
                         [](const auto& info) { return std::string(info.param).substr(0, 4); });

TEST(Placement, AnImageThatASmallTypeSpoilsIsMadeAgainInFloat32) {
  const TemporaryFolder folder;
  fs::copy(kTinySd15, folder / "m", fs::copy_options::recursive);
  const fs::path vae = folder / "m/vae/diffusion_pytorch_model.safetensors";
  TensorMap weights = load_tensors(vae);
  // The maps drown in a large mean, which the last group norm takes away again: in float32 next to nothing is lost.
  at::Tensor& last = weights.at("decoder.up_blocks.3.resnets.2.conv2.bias");
  last = last + 65536;
  for (const char* bias : {"decoder.conv_norm_out.bias", "decoder.conv_out.bias"})
    weights.at(bias) = torch::zeros_like(weights.at(bias));
  fs::permissions(vae, fs::perms::owner_write, fs::perm_options::add);
  save_tensors(vae, weights);
  const LatentDiffusion rough = load(folder / "m", at::kBFloat16), exact = load(folder / "m", at::kFloat);
  EXPECT_EQ(failure_of(image_to_image(rough, request())[0], kConstantPixels), "constant");
  const CheckedValues made = checked_image_to_image(rough, request());
  EXPECT_EQ(made.retried, 1);
  EXPECT_EQ(made.failures, std::vector<std::string>{""});
  EXPECT_TRUE(made.values_N.equal(image_to_image(exact, request())));
  EXPECT_EQ(checked_image_to_image(exact, request()).retried, 0);
}

}  // namespace domainfusion
