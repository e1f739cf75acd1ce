// Schedulers against diffusers' timesteps, noise levels, samples and noising.

#include <gtest/gtest.h>
#include <torch/types.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "domainfusion/config/model_config.h"
#include "domainfusion/core/error.h"
#include "domainfusion/core/libtorch_version.h"
#include "domainfusion/diffusion/noise/noise_schedule.h"
#include "domainfusion/diffusion/schedulers/scheduler.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/weights/tensor_file.h"
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

// One entry of a configs.json.
struct SchedulerCase {
  std::string name;  // "euler-karras.epsilon"; in a folder of one class "zero-karras"
  std::string class_name;
  std::vector<json> configs;  // all fields; the fields that the user passed, the rest being the class's defaults

  // What stands before ".nN" in ladders and in the noising file.
  std::string ladder_name() const { return name.substr(0, name.find('.')); }
};

std::vector<SchedulerCase> cases_in(const fs::path& folder) {
  std::vector<SchedulerCase> cases;
  const json entries = read_json_object(folder / "configs.json");
  for (const auto& [name, entry] : entries.items()) {
    if (!entry.is_object()) continue;
    if (entry.contains("class_name")) {
      cases.push_back({name, entry["class_name"], {entry["config"], entry["passed"]}});
    } else if (entry.contains("solver_order")) {  // the folder of a later release of this class: bare configs
      cases.push_back({name, "DPMSolverMultistepScheduler", {entry}});
    } else {
      print_left_out(folder, name + ": has no class_name");
    }
  }
  return cases;
}

// The scheduler of `config` with the settings that a key names beside it: eta, original_inference_steps.
std::unique_ptr<Scheduler> scheduler_of(const SchedulerCase& c, json config, const std::string& key) {
  if (const auto eta = field_of(key, ".eta")) config["eta"] = *eta;
  if (const auto original = field_of(key, ".original"))
    config["original_inference_steps"] = static_cast<int>(*original);
  return scheduler_registry().make(scheduler_name_of_class(c.class_name), config);
}

void expect_numbers_close(const std::vector<double>& actual, const at::Tensor& expected, const std::string& what) {
  expect_close(torch::tensor(actual, torch::kFloat64), expected, kSamples, what);
}

// Exact with the libtorch that made the references. Later ones round the levels of noise otherwise, which fractional
// timesteps show.
void expect_same_timesteps(const std::vector<double>& actual, const std::vector<double>& expected,
                           const std::string& what) {
#if DOMAINFUSION_TORCH_AT_LEAST(2, 0)
  constexpr double kRounding = 1e-6;
#else
  constexpr double kRounding = 0;
#endif
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const bool whole = expected[i] == std::floor(expected[i]);
    EXPECT_NEAR(actual[i], expected[i], whole ? 0 : kRounding * expected[i]) << what << ", timestep " << i;
  }
}

// One trajectory for given model outputs; `run` ("n10.eta0.5") stands behind `prefix` in the file's keys.
void check_trajectory(const SchedulerCase& c, const json& config, const std::string& prefix, const std::string& run,
                      const TensorMap& t) {
  const auto tensor = [&](const char* field) { return t.at(prefix + run + "." + field); };
  const auto has = [&](const char* field) { return t.contains(prefix + run + "." + field); };
  const std::string what = c.name + " " + run;
  const auto scheduler = scheduler_of(c, config, run);
  scheduler->set_timesteps(static_cast<std::int64_t>(*field_of(run, "n")));
  const auto start = static_cast<std::size_t>(field_of(run, ".start").value_or(0));
  const std::vector<double> all = scheduler->timesteps();
  ASSERT_LT(start, all.size()) << what;
  const std::vector<double> timesteps(all.begin() + static_cast<std::ptrdiff_t>(start), all.end());
  expect_same_timesteps(timesteps, numbers_of(tensor("timesteps")), what);
  if (has("sigmas")) expect_numbers_close(scheduler->sigmas(), tensor("sigmas"), what + ".sigmas");
  ASSERT_EQ(static_cast<std::int64_t>(timesteps.size()), tensor("model_outputs").size(0)) << what;
  at::Tensor sample = tensor("sample0");
  std::vector<at::Tensor> samples, originals, scaled;
  for (std::size_t i = start; i < all.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i - start);
    scaled.push_back(scheduler->scale_model_input(sample, i));
    const at::Tensor noise = scheduler->needs_noise(i) && has("noises") ? tensor("noises")[row] : at::Tensor();
    const SchedulerStep step = scheduler->step(tensor("model_outputs")[row], i, sample, noise);
    originals.push_back(step.z0);
    samples.push_back(sample = step.sample);
  }
  expect_close(at::stack(samples), tensor("samples"), kSamples, what + ".samples");
  if (has("pred_original"))
    expect_close(at::stack(originals), tensor("pred_original"), kSamples, what + ".pred_original");
  if (has("scaled_inputs")) expect_close(at::stack(scaled), tensor("scaled_inputs"), kSamples, what + ".scaled_inputs");
}

// All trajectories of a case: those of its own file, or those below its name in a file of several.
void check_trajectories(const fs::path& folder, const SchedulerCase& c) {
  const bool own = fs::exists(folder / (c.name + ".safetensors"));
  const std::string prefix = own ? "" : c.name + ".", ending = ".sample0";
  int found = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (own ? entry.path().filename() != c.name + ".safetensors" : entry.path().extension() != ".safetensors") continue;
    const TensorMap tensors = load_tensors(entry.path());
    for (const auto& [key, tensor] : tensors) {
      if (!key.starts_with(prefix + "n") || !key.ends_with(ending)) continue;
      const std::string run = key.substr(prefix.size(), key.size() - prefix.size() - ending.size());
      for (const json& config : c.configs) check_trajectory(c, config, prefix, run, tensors);
      ++found;
    }
  }
  EXPECT_GT(found, 0) << folder << ": no trajectories of " << c.name;
}

// Timesteps, levels and the first sample's scale for many step counts: "NAME.nN[.originalO.strengthS].timesteps".
void check_ladders(const fs::path& folder, const SchedulerCase& c) {
  if (!fs::exists(folder / "ladders.safetensors")) return;
  for (const auto& [key, tensor] : load_tensors(folder / "ladders.safetensors")) {
    if (!key.starts_with(c.ladder_name() + ".n")) continue;
    const std::string run = key.substr(c.ladder_name().size() + 1);
    // Shorter ladders of LCM's own pipeline are left out: few_step_parity_test.cpp holds it to the common one's.
    if (field_of(run, ".strength").value_or(1) < 1) continue;
    const auto scheduler = scheduler_of(c, c.configs.front(), run);
    scheduler->set_timesteps(static_cast<std::int64_t>(*field_of(run, "n")));
    if (key.ends_with(".timesteps")) {
      expect_same_timesteps(scheduler->timesteps(), numbers_of(tensor), key);
    }
    if (key.ends_with(".sigmas")) expect_numbers_close(scheduler->sigmas(), tensor, key);
    if (key.ends_with(".init_noise_sigma")) expect_numbers_close({scheduler->init_noise_sigma()}, tensor, key);
  }
}

// add_noise at picked timesteps of a scheduler: "NAME.nN.picked_timesteps".
void check_noising(const fs::path& folder, const SchedulerCase& c) {
  if (!fs::exists(folder / "noising.safetensors")) return;
  const TensorMap t = load_tensors(folder / "noising.safetensors");
  const std::string ending = ".picked_timesteps";
  for (const auto& [key, picked] : t) {
    if (!key.starts_with(c.ladder_name() + ".n") || !key.ends_with(ending)) continue;
    const std::string run = key.substr(0, key.size() - ending.size());
    const auto scheduler = scheduler_of(c, c.configs.front(), run);
    scheduler->set_timesteps(static_cast<std::int64_t>(*field_of(run.substr(c.ladder_name().size() + 1), "n")));
    const std::vector<double> timesteps = scheduler->timesteps();
    std::vector<at::Tensor> rows;
    for (std::int64_t i = 0; i < picked.size(0); ++i) {
      const auto at = std::find(timesteps.begin(), timesteps.end(), picked[i].item<double>());
      ASSERT_NE(at, timesteps.end()) << key;
      rows.push_back(scheduler->add_noise(t.at("x0").narrow(0, i, 1), t.at("noise").narrow(0, i, 1),
                                          static_cast<std::size_t>(at - timesteps.begin())));
    }
    expect_close(at::cat(rows), t.at(run + ".add_noise"), kSamples, run + ".add_noise");
  }
}

}  // namespace

TEST(SchedulersParity, TrajectoriesTimestepsAndLevelsAreDiffusers) {
  for (const fs::path& folder : reference_cases("configs.json")) {
    for (const SchedulerCase& c : cases_in(folder)) {
      try {
        check_trajectories(folder, c);
        check_ladders(folder, c);
        check_noising(folder, c);
      } catch (const ConfigError& error) {
        leave_out_foreign_case(folder, c.name + ": " + error.what());
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
        {"rescale_betas_zero_snr", true},
        {"prediction_type", "v_prediction"}}},
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
