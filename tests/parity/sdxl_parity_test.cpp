// The SDXL family against diffusers: conditions of two text encoders, the U-Net with pooled text and sizes, and
// image-to-image with every draw.

#include <gtest/gtest.h>
#include <torch/nn/module.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"
#include "test_device.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Tolerance kXlForward{.relative = 1e-4, .of_rms = 5e-5, .absolute = 0};
constexpr Tolerance kXlGradient{.relative = 0, .of_rms = 5e-3, .absolute = 0};
constexpr Tolerance kXlLatents{.relative = 0, .of_rms = 1e-3, .absolute = 0};
constexpr Tolerance kXlImages{.relative = 0, .of_rms = 0, .absolute = 3e-3};

LatentDiffusion xl_model(const fs::path& folder) {
  LdmOptions options;
  options.placement.device = test_device();
  return LatentDiffusion::load(folder / "pipeline", options);
}

// A condition of LatentDiffusion::embed as the reference has it: hidden states and pooled text apart.
struct XlCondition {
  at::Tensor states_1LD, pooled_1P;
};
XlCondition apart(const at::Tensor& cond_1LD, const TensorMap& t) {
  const std::int64_t tokens = t.at("prompt_embeds").size(1);
  return {cond_1LD.slice(1, 0, tokens), cond_1LD.slice(1, tokens).flatten(1).slice(1, 0, t.at("pooled").size(1))};
}

// The reference's tokenizers were made in memory, where "!", the padding of the second, is a word as any other. Loaded
// from files, as users have them, transformers takes it for padding wherever it stands, and so do we.
bool holds_padding(const fs::path& folder, const std::string& prompt) {
  const json words = json::parse(read_file(folder / "pipeline/tokenizer_2/special_tokens_map.json"));
  const json& pad = words.at("pad_token");
  return prompt.find((pad.is_string() ? pad : pad.at("content")).get<std::string>()) != std::string::npos;
}

void check_conditions(const LatentDiffusion& model, const fs::path& folder, const json& prompts, const TensorMap& t) {
  const XlCondition first = apart(model.embed({prompts[0]}), t);
  expect_close(first.states_1LD, t.at("prompt_embeds"), kXlForward, "prompt_embeds");
  expect_close(first.pooled_1P, t.at("pooled"), kXlForward, "pooled");
  if (holds_padding(folder, prompts[2])) {
    print_left_out(folder, "prompt_embeds.2 and pooled.2: their prompt has the padding token among its words");
  } else {
    const XlCondition third = apart(model.embed({prompts[2]}), t);
    expect_close(third.states_1LD, t.at("prompt_embeds.2"), kXlForward, "prompt_embeds.2");
    expect_close(third.pooled_1P, t.at("pooled.2"), kXlForward, "pooled.2");
  }
  const XlCondition away = apart(model.embed_negative(prompts[0]), t), absent = apart(model.embed_negative(""), t);
  expect_close(away.states_1LD, t.at("negative_embeds.2"), kXlForward, "negative_embeds.2");
  expect_close(away.pooled_1P, t.at("negative_pooled.2"), kXlForward, "negative_pooled.2");
  expect_close(absent.states_1LD, t.at("negative_embeds_of_absent"), kXlForward, "negative_embeds_of_absent");
  expect_close(absent.pooled_1P, t.at("negative_pooled_of_absent"), kXlForward, "negative_pooled_of_absent");
}

void check_xl_unet(const LatentDiffusion& model, const TensorMap& t) {
  const UNetAddition addition{at::cat({t.at("pooled"), t.at("pooled.2")}), t.at("time_ids"), {}};
  const at::Tensor context = at::cat({t.at("prompt_embeds"), t.at("prompt_embeds.2")});
  const at::Tensor sample = t.at("sample").clone().requires_grad_();
  const auto out = [&](std::int64_t step) {
    const at::Tensor steps = torch::full({sample.size(0)}, step, torch::kInt64).to(sample.device());
    return model.unet()->forward(sample, steps, context, addition);
  };
  for (const auto& [name, expected] : t) {
    if (!name.starts_with("out.t")) continue;
    const std::int64_t step = std::stoll(name.substr(5));
    expect_close(out(step), expected, kXlForward, name + " by libtorch");
    const torch::NoGradGuard no_grad;
    const at::Tensor plain = sample.detach(),
                     steps = torch::full({plain.size(0)}, step, torch::kInt64).to(plain.device());
    expect_close(model.unet()->forward(plain, steps, context, addition), expected, kXlForward,
                 name + " by the kernels");
  }
  (out(261) - t.at("target")).square().mean().backward();
  expect_close(sample.grad(), t.at("grad.sample"), kXlGradient, "grad.sample");
}

// "strength0.4.guidance5.0" of the runs, with the draws in the pipeline's order.
void check_xl_run(const LatentDiffusion& model, const json& params, const json& prompts, const TensorMap& t,
                  const std::string& name) {
  const torch::NoGradGuard no_grad;
  std::size_t drawn = 0;
  const auto draw = [&] { return t.at("draw." + std::to_string(drawn++)); };
  ImageToImageRequest request;
  request.strength = std::stod(name.substr(8));
  request.steps = params["steps"];
  request.guidance_scale = std::stod(name.substr(name.find("guidance") + 8));
  request.scheduler = "auto";
  const PreparedScheduler prepared = prepare_scheduler(model.scheduler_config(), request);
  const at::Tensor posterior = draw(), start = draw(), expected = t.at(name + ".latents");
  at::Tensor z = model.posterior(t.at("image")).sample(posterior) * model.scaling_factor();
  z = prepared.scheduler->add_noise(z, start, prepared.start);
  const GuidedPrediction predict(model, {prompts[0].get<std::string>()}, "", request.guidance_scale);
  const std::vector<double> timesteps = prepared.scheduler->timesteps();
  ASSERT_EQ(static_cast<std::int64_t>(timesteps.size() - prepared.start), expected.size(0)) << name;
  for (std::size_t i = prepared.start; i < timesteps.size(); ++i) {
    const at::Tensor prediction = predict(prepared.scheduler->scale_model_input(z, i), timesteps[i]);
    z = prepared.scheduler->step(prediction, i, z, {}).sample;
    const auto row = static_cast<std::int64_t>(i - prepared.start);
    expect_close(z[0], expected[row], kXlLatents, name + " row " + std::to_string(row));
  }
  if (t.contains(name + ".image")) expect_close(model.decode(z), t.at(name + ".image"), kXlImages, name + ".image");
}

void check_xl_case(const fs::path& folder) {
  const LatentDiffusion model = xl_model(folder);
  const json prompts = json::parse(read_file(folder / "prompts.json"));
  const TensorMap conditioning = on_test_device(load_tensors(folder / "conditioning.safetensors")),
                  runs = on_test_device(load_tensors(folder / "runs.safetensors"));
  check_conditions(model, folder, prompts, conditioning);
  check_xl_unet(model, conditioning);
  const json params = json::parse(read_file(folder / "params.json"));
  const std::string ending = ".latents";
  for (const auto& [key, tensor] : runs) {
    if (key.ends_with(ending)) check_xl_run(model, params, prompts, runs, key.substr(0, key.size() - ending.size()));
  }
}

}  // namespace

TEST(SdxlParity, ConditionsUNetAndRunsAreDiffusers) {
  for (const fs::path& folder : reference_cases("conditioning.safetensors")) {
    try {
      check_xl_case(folder);
    } catch (const ConfigError& error) {
      leave_out_foreign_case(folder, error.what());
    }
  }
}

}  // namespace domainfusion
