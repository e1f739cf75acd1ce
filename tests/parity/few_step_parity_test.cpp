// Image-to-image in one to four steps against diffusers, with the schedulers of few-step models and their own draws.

#include <gtest/gtest.h>
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

constexpr Tolerance kFewStepLatents{.relative = 0, .of_rms = 1e-3, .absolute = 0};

// "euler-trailing.steps2…" -> "euler": what stands behind the name is in the case's scheduler config.
std::string scheduler_of_tag(const std::string& tag) { return tag.substr(0, tag.find_first_of("-.")); }

void check_few_steps(const LatentDiffusion& model, const std::string& prompt, const json& of_case, const TensorMap& t) {
  const std::string tag = of_case["tag"];
  const torch::NoGradGuard no_grad;
  std::size_t drawn = 0;
  const auto draw = [&] { return t.at("draw." + std::to_string(drawn++)).to(test_device()); };
  ImageToImageRequest request;
  request.strength = of_case["strength"];
  request.steps = of_case["steps"];
  request.guidance_scale = of_case["guidance"];
  request.scheduler = scheduler_of_tag(tag);
  const PreparedScheduler prepared = prepare_scheduler(of_case["scheduler"], request);
  const std::vector<double> timesteps = prepared.scheduler->timesteps();
  const at::Tensor expected_t = t.at(tag + ".timesteps").to(at::kDouble), expected = t.at(tag + ".latents");
  ASSERT_EQ(static_cast<std::int64_t>(timesteps.size() - prepared.start), expected_t.size(0)) << tag;
  const at::Tensor posterior = draw(), start = draw();
  at::Tensor z = model.posterior(t.at("image").to(test_device())).sample(posterior) * model.scaling_factor();
  z = prepared.scheduler->add_noise(z, start, prepared.start);
  const GuidedPrediction predict(model, {prompt}, "", request.guidance_scale);
  for (std::size_t i = prepared.start; i < timesteps.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i - prepared.start);
    EXPECT_FLOAT_EQ(timesteps[i], expected_t[row].item<double>()) << tag;
    const at::Tensor prediction = predict(prepared.scheduler->scale_model_input(z, i), timesteps[i]);
    const at::Tensor noise = prepared.scheduler->needs_noise(i) ? draw() : at::Tensor();
    z = prepared.scheduler->step(prediction, i, z, noise).sample;
    expect_close(z[0], expected[row], kFewStepLatents, tag + " row " + std::to_string(row));
  }
}

}  // namespace

TEST(FewStepParity, EveryLatentIsDiffusers) {
  for (const fs::path& folder : reference_cases("cases.json")) {
    const json description = json::parse(read_file(folder / "cases.json"));
    const fs::path pipeline = folder.parent_path() / description["model"].get<std::string>() / "pipeline";
    if (!fs::exists(pipeline)) {
      print_left_out(folder, "its model '" + pipeline.string() + "' is not beside it");
      continue;
    }
    LdmOptions options;
    options.placement.device = test_device();
    try {
      const LatentDiffusion model = LatentDiffusion::load(pipeline, options);
      const TensorMap runs = load_tensors(folder / "runs.safetensors");
      for (const json& of_case : description["cases"]) check_few_steps(model, description["prompt"], of_case, runs);
    } catch (const ConfigError& error) {
      leave_out_foreign_case(folder, error.what());
    }
  }
}

}  // namespace domainfusion
