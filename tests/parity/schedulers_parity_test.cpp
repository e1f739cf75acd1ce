// Schedulers against diffusers' timesteps, samples and noising.

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "domainfusion/core/error.h"
#include "domainfusion/diffusion/model_config.h"
#include "domainfusion/diffusion/schedulers/ddim.h"
#include "domainfusion/io/tensor_file.h"
#include "parity/reference_cases.h"
#include "parity/tensor_comparison.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr Tolerance kSamples{.relative = 1e-4, .of_rms = 0, .absolute = 1e-5};

std::vector<double> numbers_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.to(at::kDouble).contiguous();
  return {plain.data_ptr<double>(), plain.data_ptr<double>() + plain.numel()};
}

// "n10.eta0.5.start2" -> the number after `field`, or nullopt.
std::optional<double> field_of(const std::string& key, const std::string& field) {
  const auto at = key.find(field);
  if (at == std::string::npos) return std::nullopt;
  return std::stod(key.substr(at + field.size()));
}

// One trajectory for given model outputs.
void check_trajectory(const json& config, const std::string& run, const TensorMap& t, const std::string& what) {
  DdimScheduler scheduler(config, field_of(run, ".eta").value_or(0));
  scheduler.set_timesteps(static_cast<std::int64_t>(*field_of(run, "n")));
  const auto start = static_cast<std::size_t>(field_of(run, ".start").value_or(0));
  const std::vector<double> timesteps(scheduler.timesteps().begin() + static_cast<std::ptrdiff_t>(start),
                                      scheduler.timesteps().end());
  EXPECT_EQ(timesteps, numbers_of(t.at(run + ".timesteps"))) << what;
  at::Tensor sample = t.at(run + ".sample0");
  std::vector<at::Tensor> samples, originals;
  for (std::size_t i = 0; i < timesteps.size(); ++i) {
    const at::Tensor output = t.at(run + ".model_outputs")[static_cast<std::int64_t>(i)];
    const auto noises = t.find(run + ".noises");
    const at::Tensor noise = noises == t.end() ? at::Tensor() : noises->second[static_cast<std::int64_t>(i)];
    originals.push_back(scheduler.predicted_z0(output, start + i, sample));
    sample = scheduler.step(output, start + i, sample, noise);
    samples.push_back(sample);
  }
  expect_close(at::stack(samples), t.at(run + ".samples"), kSamples, what + " " + run + ".samples");
  expect_close(at::stack(originals), t.at(run + ".pred_original"), kSamples, what + " " + run + ".pred_original");
}

void check_file(const fs::path& folder, const std::string& name, const json& entry) {
  const TensorMap tensors = load_tensors(folder / (name + ".safetensors"));
  const std::string ending = ".sample0";
  for (const auto& [key, tensor] : tensors) {
    if (!key.ends_with(ending)) continue;
    const std::string run = key.substr(0, key.size() - ending.size());
    check_trajectory(entry["config"], run, tensors, name);
    // What the user's file leaves out takes the defaults of the class.
    check_trajectory(entry["passed"], run, tensors, name + " (from the passed fields)");
  }
}

// The timesteps of many step counts: "NAME.nN.timesteps".
void check_ladders(const fs::path& folder, const std::string& name, const json& config) {
  if (!fs::exists(folder / "ladders.safetensors")) return;
  for (const auto& [key, tensor] : load_tensors(folder / "ladders.safetensors")) {
    if (!key.starts_with(name + ".n") || !key.ends_with(".timesteps")) continue;
    DdimScheduler scheduler(config);
    scheduler.set_timesteps(static_cast<std::int64_t>(*field_of(key, name + ".n")));
    EXPECT_EQ(scheduler.timesteps(), numbers_of(tensor)) << key;
  }
}

}  // namespace

TEST(SchedulersParity, TrajectoriesAndTimestepsAreDiffusers) {
  for (const fs::path& folder : reference_cases("configs.json")) {
    const json configs = read_json_object(folder / "configs.json");
    for (const auto& [name, entry] : configs.items()) {
      if (!entry.is_object() || !entry.contains("class_name")) continue;
      if (entry["class_name"] != "DDIMScheduler") {
        print_left_out(folder, name + ": class_name = " + entry["class_name"].get<std::string>());
        continue;
      }
      try {
        check_file(folder, name, entry);
        check_ladders(folder, name.substr(0, name.find('.')), entry["config"]);
      } catch (const ConfigError& error) {
        leave_out_foreign_case(folder, name + ": " + error.what());
      }
    }
  }
}

TEST(SchedulersParity, NoiseSchedulesAreDiffusers) {
  const std::map<std::string, json> configs{
      {"linear", {{"beta_schedule", "linear"}}},
      {"scaled_linear", {{"beta_schedule", "scaled_linear"}, {"beta_start", 0.00085}, {"beta_end", 0.012}}},
      {"scaled_linear_zero_snr",
       {{"beta_schedule", "scaled_linear"},
        {"beta_start", 0.00085},
        {"beta_end", 0.012},
        {"rescale_betas_zero_snr", true}}},
      {"squaredcos", {{"beta_schedule", "squaredcos_cap_v2"}}}};
  for (const fs::path& folder : reference_cases("noising.safetensors")) {
    const TensorMap t = load_tensors(folder / "noising.safetensors");
    for (const auto& [name, config] : configs) {
      const auto reference = t.find("alphas_cumprod." + name);
      if (reference == t.end()) continue;
      expect_close(NoiseSchedule(config).alphas_cumprod(), reference->second,
                   {.relative = 1e-5, .of_rms = 0, .absolute = 1e-9}, reference->first);
    }
    const NoiseSchedule schedule(configs.at("scaled_linear"));
    expect_close(schedule.add_noise(t.at("x0"), t.at("noise"), t.at("timesteps")), t.at("ddpm.add_noise"), kSamples,
                 "add_noise");
    expect_close(schedule.velocity(t.at("x0"), t.at("noise"), t.at("timesteps")), t.at("ddpm.get_velocity"), kSamples,
                 "get_velocity");
  }
}

}  // namespace domainfusion
