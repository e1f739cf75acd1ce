#include "domainfusion/evaluation/plans/run_plan.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>

#include "domainfusion/augmentation/candidates/image_budget.h"
#include "domainfusion/core/machine/process_memory.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/evaluation/dsi/dsi_config.h"
#include "domainfusion/ldm_training/options/ldm_finetuning_config.h"
#include "domainfusion/nn/memory/activation_memory.h"
#include "domainfusion/nn/state_dict.h"
#include "domainfusion/training/guards/guarded_ldm.h"
#include "domainfusion/training/records/run_cost.h"

namespace domainfusion {
namespace {

constexpr double kMib = 1 << 20;

std::optional<LatentDiffusion> ldm_of(const TrainingConfig& config) {
  if (config.ldm.empty()) return std::nullopt;
  return LatentDiffusion::open(config.ldm, ldm_options_of(config, config.device));
}

double weight_bytes(const RunSetup& setup, const SetSizes& sizes) {
  ClassifierConfig untrained = setup.config.classifier;
  untrained.weights.clear();
  const Classifier classifier(untrained, std::max<std::int64_t>(sizes.classes, 2), 0);
  return 4 * static_cast<double>(parameter_count(*classifier));
}

// Weights twice (best and checkpoint) and the two moments of Adam, float32; three bytes a pixel.
double disk_mib(double weight_bytes, const PlannedWork& work, std::int64_t ldm_px) {
  return (4 * weight_bytes + static_cast<double>(work.stored_images * 3 * ldm_px * ldm_px)) / kMib;
}

std::string count(double value) {
  if (value < 1e6) return fmt::format("{:.0f}", value);
  return fmt::format("{:.1f} M", value * 1e-6);
}

std::string share(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? fmt::format("{:.1f} %", 100.0 * static_cast<double>(part) / static_cast<double>(whole)) : "";
}

double latent_bytes(const LatentDiffusion& ldm) {
  double elements = 1;
  for (const std::int64_t size : ldm.latent_shape()) elements *= static_cast<double>(size);
  return elements * sizeof(float);
}

// The run itself asks again, for the K that its gate finds.
std::string curves_cell(const RunPlan& plan) {
  std::string text = fmt::format("{:.0f}", std::ceil(plan.curves_mib));
  if (plan.curves_mib >= static_cast<double>(plan.work.kept_latents_mib) && plan.curves_mib > 0)
    text += fmt::format(", over distillation.curve.limit_mb = {}", plan.work.kept_latents_mib);
  return text;
}

// What the loader keeps in memory of a set that is read once and again.
double kept_images_mib(const DataConfig& data, const SetSizes& sizes) {
  if (data.cache != ImageCache::kMemory) return 0;
  double images = 0;
  for (const std::int64_t count : sizes.images) images += static_cast<double>(count);
  return std::min(images * sizes.decoded_bytes / kMib, static_cast<double>(data.cache_mb));
}

double folder_mib(const std::filesystem::path& folder) {
  double bytes = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += static_cast<double>(entry.file_size());
  }
  return bytes / kMib;
}

// Time and memory of the LDM that was measured, for the work that is planned. The LDM stays loaded beside training,
// which keeps its memory while the LDM works.
void add_ldm(RunPlan& plan) {
  if (plan.work.unet_images == 0 && plan.work.vae_images == 0) {
    plan.ldm_seconds = 0;
  } else if (plan.ldm_times) {
    plan.ldm_seconds = ldm_seconds(plan.work, *plan.ldm_times);
    const double unet = plan.ldm_memory.unet_mib * static_cast<double>(plan.work.unet_batch);
    const double vae = plan.ldm_memory.vae_mib * static_cast<double>(plan.work.vae_batch);
    plan.peak_memory_mib = plan.loaded_mib + plan.step_mib + std::max(unet, vae);
  }
}

}  // namespace

std::int64_t fds_images(std::int64_t sources, std::int64_t classes, const std::string& dataset) {
  return sources * (sources - 1) / 2 * classes * (dataset == "OfficeHome" ? 16'000 : 32'000);
}

RunPlan count_run(RunSetup& setup, const SetSizes& sizes, const nlohmann::json& ldm_scheduler, at::Device device) {
  const TrainingConfig& config = setup.config;
  RunPlan plan{.algorithm = config.algorithm, .budget = run_budget(setup, sizes)};
  const RunBudget& budget = plan.budget;
  const auto sources = static_cast<std::int64_t>(budget.sources.size());
  WorkSizes work_sizes{budget.in_images,        sources, sizes.classes, budget.steps, budget.steps_per_epoch,
                       config.loader.batch_size};
  work_sizes.device = device;
  std::vector<std::string> held_out{config.test_domain};
  if (!config.cross_validation_domain.empty()) held_out.push_back(config.cross_validation_domain);
  work_sizes.guard = target_guard(sizes.domain_names, held_out, sizes.class_names, config);
  work_sizes.ldm_scheduler = plan.ldm_scheduler = ldm_scheduler;
  plan.work = setup.algorithm->planned_work(work_sizes);
  plan.cdga_images = cdga_images(budget.in_images, sources);
  plan.fds_images = fds_images(sources, sizes.classes, sizes.name);
  return plan;
}

RunPlan plan_run(RunSetup& setup, const SetSizes& sizes) {
  const TrainingConfig& config = setup.config;
  const auto ldm = ldm_of(config);
  RunPlan plan =
      count_run(setup, sizes, ldm ? ldm->scheduler_config() : WorkSizes().ldm_scheduler, device_of(config.device));
  const RunBudget& budget = plan.budget;
  plan.gradient_bytes = weight_bytes(setup, sizes);
  plan.disk_mib = disk_mib(plan.gradient_bytes, plan.work, ldm ? ldm->image_size_px() : config.loader.image_size_px);

  const double kept = kept_images_mib(config.data, sizes);
  const double before_mib = resident_mib();
  reset_peak_resident();
  const auto steps = static_cast<double>(budget.steps);
  const double trained = static_cast<double>(budget.images_per_step) + plan.work.classifier_images / 3 / steps;
  // At most as many images again join a step's batch; a search goes through its batch time after time.
  const std::int64_t batch = std::min<std::int64_t>(std::llround(trained), 2 * budget.images_per_step);
  const StepTimes times = measure_step_times(setup, sizes.classes, batch);
  plan.evaluation_seconds = times.evaluate_seconds_per_image * static_cast<double>(budget.evaluated_images);
  plan.train_seconds_per_image = times.train_seconds_per_image;
  plan.training_seconds = times.train_seconds_per_image * trained * steps + plan.evaluation_seconds;
  plan.step_mib = peak_resident_mib() - before_mib;
  plan.loaded_mib = before_mib + kept;
  plan.peak_memory_mib = plan.loaded_mib + plan.step_mib;
  if (ldm) {
    plan.curves_mib = plan.work.kept_latents * latent_bytes(*ldm) / kMib;
    plan.ldm_memory = measure_generation_memory(*ldm);
    plan.ldm_times = measure_generation(*ldm);
    release_activation_memory();
    plan.loaded_mib = resident_mib() + kept + plan.curves_mib;
  }
  add_ldm(plan);
  return plan;
}

RunPlan with_dsi(RunPlan plan) {
  DsiConfig dsi;
  dsi.settle({});
  const LdmFinetuningConfig finetuning;
  const auto sources = static_cast<double>(plan.budget.sources.size());
  const double translated = static_cast<double>(plan.budget.held_out_in_images) * sources;
  PlannedWork work;
  for (const std::int64_t start : dsi.start_steps) {
    work.unet_images += translated * static_cast<double>(unet_passes(plan.ldm_scheduler, dsi.request(start)));
    work.vae_images += 2 * translated;
    work.generated_images += static_cast<std::int64_t>(translated);
  }
  work.generation_unet_images = work.unet_images;
  work.generation_vae_images = work.vae_images;
  work.stored_images = work.generated_images;
  work.vae_batch = dsi.batch_size;
  work.unet_batch = std::max(dsi.batch_size * rows_per_image(*dsi.guidance_scale), finetuning.part_size());
  work.unet_images += 3.0 * static_cast<double>(finetuning.steps * finetuning.batch_size) * sources;
  work.vae_images += 2.0 * static_cast<double>(plan.budget.in_images);  // plain and mirrored
  plan.algorithm += " + dsi";
  plan.work += work;
  plan.ldm_seconds.reset();
  add_ldm(plan);
  return plan;
}

nlohmann::json RunPlan::to_json() const {
  return {{"algorithm", algorithm},
          {"steps", budget.steps},
          {"images_per_step", budget.images_per_step},
          {"generated_images", work.generated_images},
          {"cdga_images", cdga_images},
          {"fds_images", fds_images},
          {"unet_images", work.unet_images},
          {"vae_images", work.vae_images},
          {"training_seconds", training_seconds},
          {"ldm_seconds", ldm_seconds ? nlohmann::json(*ldm_seconds) : nlohmann::json()},
          {"curves_mib", curves_mib},
          {"peak_memory_mib", peak_memory_mib},
          {"disk_mib", disk_mib}};
}

std::vector<std::vector<std::string>> plan_cells(const std::vector<RunPlan>& plans) {
  std::vector<std::vector<std::string>> cells;
  const auto row = [&](const std::string& name, auto cell) {
    cells.push_back({name});
    for (const RunPlan& plan : plans) cells.back().push_back(cell(plan));
  };
  row("", [](const RunPlan& p) { return p.algorithm; });
  row("steps", [](const RunPlan& p) { return fmt::format("{} x {}", p.budget.steps, p.budget.images_per_step); });
  row("images to generate", [](const RunPlan& p) { return count(static_cast<double>(p.work.generated_images)); });
  row("  share of CDGA's", [](const RunPlan& p) { return share(p.work.generated_images, p.cdga_images); });
  row("  share of FDS's", [](const RunPlan& p) { return share(p.work.generated_images, p.fds_images); });
  row("images through the U-Net", [](const RunPlan& p) { return count(p.work.unet_images); });
  row("images through the VAE", [](const RunPlan& p) { return count(p.work.vae_images); });
  row("time of the LDM",
      [](const RunPlan& p) { return p.ldm_seconds ? format_seconds(*p.ldm_seconds) : "no --ldm given"; });
  row("time of the classifier", [](const RunPlan& p) { return format_seconds(p.training_seconds); });
  row("time in all", [](const RunPlan& p) { return p.ldm_seconds ? format_seconds(p.seconds()) : "no --ldm given"; });
  row("peak memory, MiB", [](const RunPlan& p) { return fmt::format("{:.0f}", p.peak_memory_mib); });
  if (std::any_of(plans.begin(), plans.end(), [](const RunPlan& p) { return p.curves_mib > 0; }))
    row("  of it latent curves", curves_cell);
  row("disk, MiB", [](const RunPlan& p) { return fmt::format("{:.1f}", p.disk_mib); });
  return cells;
}

RealCost real_cost(const std::filesystem::path& run) { return real_cost(read_run(run)); }

RealCost real_cost(const RunResult& run) {
  const RunCost cost = read_run_cost(run.path);
  return {run.generated_images, cost.seconds, cost.peak_memory_mib, folder_mib(run.path)};
}

std::vector<std::vector<std::string>> plan_beside_real_cells(const RunPlan& plan, const RealCost& real) {
  const auto ratio = [](double a, double b) { return b > 0 ? fmt::format("{:.2f}", a / b) : std::string(); };
  const auto generated = static_cast<double>(plan.work.generated_images),
             made = static_cast<double>(real.generated_images);
  return {{"", "plan", "real", "plan / real"},
          {"images generated", count(generated), count(made), ratio(generated, made)},
          {"time", format_seconds(plan.seconds()), format_seconds(real.seconds), ratio(plan.seconds(), real.seconds)},
          {"peak memory, MiB", fmt::format("{:.0f}", plan.peak_memory_mib), fmt::format("{:.0f}", real.peak_memory_mib),
           ratio(plan.peak_memory_mib, real.peak_memory_mib)},
          {"disk, MiB", fmt::format("{:.1f}", plan.disk_mib), fmt::format("{:.1f}", real.disk_mib),
           ratio(plan.disk_mib, real.disk_mib)}};
}

}  // namespace domainfusion
