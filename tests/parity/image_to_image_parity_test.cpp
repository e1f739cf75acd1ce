// Image-to-image against diffusers' StableDiffusionImg2ImgPipeline, every latent.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <nlohmann/json.hpp>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/image_to_image.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "domainfusion/io/file_bytes.h"
#include "domainfusion/io/tensor_file.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Tolerance kImages{.relative = 0, .of_rms = 0, .absolute = 2e-3};

// The case's model with the scheduler settings of its params.json.
LatentDiffusion model_of(const fs::path& folder, const json& params, const TemporaryFolder& scratch) {
  const fs::path copy = scratch / "pipeline";
  fs::copy(folder.parent_path() / params["model"].get<std::string>() / "pipeline", copy, fs::copy_options::recursive);
  json scheduler = params["scheduler_common"];
  if (params.contains("ddim")) scheduler.update(params["ddim"]);
  fs::remove(copy / "scheduler/scheduler_config.json");
  std::ofstream(copy / "scheduler/scheduler_config.json") << scheduler;
  return LatentDiffusion::load(copy);
}

// "ddim.strength0.5.guidance7.5" -> scheduler, strength, guidance.
struct Run {
  explicit Run(const std::string& name)
      : scheduler(name.substr(0, name.find('.'))),
        strength(std::stod(name.substr(name.find("strength") + 8))),
        guidance(std::stod(name.substr(name.find("guidance") + 8))) {}
  std::string scheduler;
  double strength, guidance;
};

ImageToImageRequest request_of(const Run& run, const json& params, const TensorMap& inputs) {
  ImageToImageRequest request;
  request.image01_N3HW = inputs.at("image");
  request.prompts = {params["prompt"].get<std::string>()};
  request.negative_prompt = params["negative"];
  request.strength = run.strength;
  request.steps = params["steps"];
  request.guidance_scale = run.guidance;
  request.scheduler = run.scheduler;
  request.noise_NChw = inputs.at("init_noise");
  request.sample_posterior = true;
  request.posterior_noise_NChw = inputs.at("posterior_noise");
  return request;
}

void check_run(const LatentDiffusion& model, const std::string& name, const json& params, const TensorMap& inputs,
               const TensorMap& runs) {
  const bool velocity = model.noise_schedule().prediction_type() == PredictionType::kVelocity;
  ImageToImageRequest request = request_of(Run(name), params, inputs);
  std::vector<at::Tensor> rows;
  request.on_latents = [&rows](const at::Tensor& z) { rows.push_back(z[0]); };
  const at::Tensor image = image_to_image(model, request);
  const at::Tensor expected = runs.at(name + ".latents");
  ASSERT_EQ(static_cast<std::int64_t>(rows.size()), expected.size(0)) << name;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expect_close(rows[i], expected[static_cast<std::int64_t>(i)],
                 {.relative = 0, .of_rms = velocity ? 1e-2 : 5e-4, .absolute = 0}, name + " row " + std::to_string(i));
  }
  if (runs.contains(name + ".image")) expect_close(image, runs.at(name + ".image"), kImages, name + ".image");
}

void check_case(const fs::path& folder) {
  const json params = json::parse(read_file(folder / "params.json"));
  if (!fs::exists(folder.parent_path() / params["model"].get<std::string>() / "pipeline")) {
    return print_left_out(folder, "its model '" + params["model"].get<std::string>() + "' is not beside it");
  }
  const TemporaryFolder scratch;
  const LatentDiffusion model = model_of(folder, params, scratch);
  const TensorMap inputs = load_tensors(folder / "inputs.safetensors"),
                  runs = load_tensors(folder / "runs.safetensors");
  std::set<std::string> left_out;
  const std::string ending = ".latents";
  for (const auto& [key, tensor] : runs) {
    if (!key.ends_with(ending)) continue;
    const std::string name = key.substr(0, key.size() - ending.size());
    const std::string scheduler = Run(name).scheduler;
    if (scheduler_registry().contains(scheduler)) {
      check_run(model, name, params, inputs, runs);
    } else if (left_out.insert(scheduler).second) {
      print_left_out(folder, "scheduler = " + scheduler);
    }
  }
  expect_close(model.embed({params["prompt"], params["negative"]}),
               at::cat({inputs.at("prompt_embeds"), inputs.at("negative_embeds")}),
               {.relative = 1e-4, .of_rms = 5e-5, .absolute = 0}, "embeddings");
}

}  // namespace

TEST(ImageToImageParity, EveryLatentIsDiffusers) {
  for (const fs::path& folder : reference_cases("runs.safetensors")) {
    if (!fs::exists(folder / "params.json") || !fs::exists(folder / "inputs.safetensors")) continue;
    try {
      check_case(folder);
    } catch (const ConfigError& error) {
      leave_out_foreign_case(folder, error.what());
    }
  }
}

}  // namespace domainfusion
