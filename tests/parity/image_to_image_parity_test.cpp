// Image-to-image against diffusers' StableDiffusionImg2ImgPipeline, every latent.

#include <gtest/gtest.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <map>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/generation/image_to_image.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/weights/tensor_file.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"
#include "temporary_folder.h"
#include "test_device.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Tolerance kImages{.relative = 0, .of_rms = 0, .absolute = 2e-3};

// The case's model with the settings of one scheduler of its params.json.
LatentDiffusion model_of(const fs::path& folder, const json& params, const std::string& scheduler) {
  const TemporaryFolder scratch;
  const fs::path copy = scratch / "pipeline";
  fs::copy(folder.parent_path() / params["model"].get<std::string>() / "pipeline", copy, fs::copy_options::recursive);
  json config = params["scheduler_common"];
  if (params.contains(scheduler)) config.update(params[scheduler]);
  fs::remove(copy / "scheduler/scheduler_config.json");
  std::ofstream(copy / "scheduler/scheduler_config.json") << config;
  LdmOptions options;
  options.placement.device = test_device();
  return LatentDiffusion::load(copy, options);
}

// The cases' short names, where they are not those of the registry.
std::string registry_name(const std::string& scheduler) {
  static const std::map<std::string, std::string> names{{"dpmpp", "dpmsolver"}, {"dpm", "dpmsolver"}};
  const auto found = names.find(scheduler);
  return found == names.end() ? scheduler : found->second;
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
  request.scheduler = registry_name(run.scheduler);
  request.noise_NChw = inputs.at("init_noise");
  request.sample_posterior = true;
  request.posterior_noise_NChw = inputs.at("posterior_noise");
  return request;
}

Tolerance latents_tolerance(const LatentDiffusion& model) {
  const bool velocity = model.noise_schedule().prediction_type() == PredictionType::kVelocity;
  return {.relative = 0, .of_rms = velocity ? 1e-2 : 5e-4, .absolute = 0};
}

void expect_rows_close(const std::vector<at::Tensor>& rows, const at::Tensor& expected, Tolerance tolerance,
                       const std::string& name) {
  ASSERT_EQ(static_cast<std::int64_t>(rows.size()), expected.size(0)) << name;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    expect_close(rows[i], expected[static_cast<std::int64_t>(i)], tolerance, name + " row " + std::to_string(i));
  }
}

void check_run(const LatentDiffusion& model, const std::string& name, const json& params, const TensorMap& inputs,
               const TensorMap& runs) {
  ImageToImageRequest request = request_of(Run(name), params, inputs);
  std::vector<at::Tensor> rows;
  request.on_latents = [&rows](const at::Tensor& z) { rows.push_back(z[0]); };
  const at::Tensor image = image_to_image(model, request);
  const at::Tensor expected = runs.at(name + ".latents");
  expect_rows_close(rows, expected, latents_tolerance(model), name);
  if (runs.contains(name + ".image")) expect_close(image, runs.at(name + ".image"), kImages, name + ".image");
}

// The steps of `request` from the given noisy latents alone.
std::vector<at::Tensor> regenerated_from(const LatentDiffusion& model, const at::Tensor& z,
                                         const ImageToImageRequest& request) {
  const PreparedScheduler prepared = prepare_scheduler(model.scheduler_config(), request);
  const GuidedPrediction predict(model, request.prompts, request.negative_prompt, request.guidance_scale);
  std::vector<RandomStream> none;
  std::vector<at::Tensor> rows;
  take_steps(*prepared.scheduler, prepared.start, predict, z, none,
             [&](const at::Tensor& row) { rows.push_back(row[0]); });
  return rows;
}

// Inverts under the case's prompt, then regenerates under it with each guidance of the file. The steps are held to the
// reference from its own last inverted row too: over the whole way there and back, rounding grows a thousandfold on
// this network (the reference is 3.3e-3 rms from float64 at the end, where this project is 3.5e-4), so that a wider
// tolerance must do for it.
void check_inversion(const LatentDiffusion& model, const json& params, const TensorMap& t) {
  constexpr Tolerance kThereAndBack{.relative = 0, .of_rms = 2e-2, .absolute = 0};
  const torch::NoGradGuard no_grad;
  const std::string prompt = params["prompt"], beginning = "regenerated.guidance";
  for (const auto& [key, expected] : t) {
    if (!key.starts_with(beginning)) continue;
    ImageToImageRequest request;
    request.mode = GenerationMode::kInversion;
    request.z0_NChw = t.at("latents0");
    request.prompts = request.inversion_prompts = {prompt};
    request.negative_prompt = params["negative"];
    request.strength = 1;
    request.steps = params["inv_steps"];
    request.guidance_scale = std::stod(key.substr(beginning.size()));
    std::vector<at::Tensor> inverted, regenerated;
    request.on_inverted = [&](const at::Tensor& z) { inverted.push_back(z[0]); };
    request.on_latents = [&](const at::Tensor& z) { regenerated.push_back(z[0]); };
    image_to_image_latents(model, request);
    expect_rows_close(inverted, t.at("inverted"), latents_tolerance(model), "inverted");
    regenerated.erase(regenerated.begin());  // the last inverted row
    expect_rows_close(regenerated, expected, kThereAndBack, key + ", there and back,");
    const at::Tensor last = t.at("inverted").slice(0, -1).to(test_device());
    expect_rows_close(regenerated_from(model, last, request), expected, latents_tolerance(model), key);
  }
}

void check_case(const fs::path& folder) {
  const json params = json::parse(read_file(folder / "params.json"));
  if (!fs::exists(folder.parent_path() / params["model"].get<std::string>() / "pipeline")) {
    return print_left_out(folder, "its model '" + params["model"].get<std::string>() + "' is not beside it");
  }
  const TensorMap inputs = load_tensors(folder / "inputs.safetensors"),
                  runs = load_tensors(folder / "runs.safetensors");
  std::map<std::string, LatentDiffusion> models;
  const std::string ending = ".latents";
  for (const auto& [key, tensor] : runs) {
    if (!key.ends_with(ending)) continue;
    const std::string name = key.substr(0, key.size() - ending.size()), scheduler = Run(name).scheduler;
    if (!models.contains(scheduler)) models.emplace(scheduler, model_of(folder, params, scheduler));
    check_run(models.at(scheduler), name, params, inputs, runs);
  }
  const LatentDiffusion model = model_of(folder, params, "ddim");
  if (fs::exists(folder / "inversion.safetensors")) {
    check_inversion(model, params, load_tensors(folder / "inversion.safetensors"));
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
