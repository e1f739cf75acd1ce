// domainfusion sweep: all runs of a table, planned, run side by side, repeated where they fail, continued where they
// stopped.

#include <algorithm>
#include <cmath>
#include <thread>
#include <tuple>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/farm_workers.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/config/config_file.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/evaluation/plans/run_plan.h"
#include "domainfusion/evaluation/sweeps/child_process.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/evaluation/sweeps/job_queue.h"
#include "domainfusion/evaluation/sweeps/slurm_script.h"
#include "domainfusion/evaluation/sweeps/sweep_plan.h"
#include "domainfusion/evaluation/sweeps/table_recipe.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/folders/folder_lock.h"
#include "domainfusion/training/options/hparam_ranges.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

struct SweepArguments {
  std::string recipe, data, algorithm, ldm, vae, targets = "all", out;
  std::vector<std::string> loras, overrides;
  std::int64_t trials = 3, hparams = 1, jobs = 1, retries = 1;
  bool cross_validation = false, slurm = false, submit = false, dry_run = false, yes = false;
};

// Where the name of an LDM says so: a model of its own for each held-out domain, which it has never seen.
constexpr std::string_view kTargetInPath = "{target}";

// What parts take on this machine, measured when it is first asked for.
class StepClock {
 public:
  const StepTimes& of_steps(const RunSetup& setup, std::int64_t classes) {
    const std::int64_t batch = std::min<std::int64_t>(setup.config.loader.batch_size, 8);
    auto known = steps_.find(batch);
    if (known == steps_.end()) known = steps_.emplace(batch, measure_step_times(setup, classes)).first;
    return known->second;
  }
  const GenerationTimes& of_ldm(const TrainingConfig& config) {
    auto known = ldms_.find(config.ldm);
    if (known == ldms_.end()) {
      const LatentDiffusion ldm = LatentDiffusion::open(config.ldm, ldm_options_of(config, config.device));
      known = ldms_.emplace(config.ldm, measure_generation(ldm)).first;
    }
    return known->second;
  }

 private:
  std::map<std::int64_t, StepTimes> steps_;      // by batch size: a draw of hyper-parameters changes it
  std::map<std::string, GenerationTimes> ldms_;  // by path
};

// The runs of one system.
class Sweep {
 public:
  Sweep(const SweepArguments& arguments, const TableSystem* system, std::int64_t place);
  const std::vector<PlannedRun>& runs() const { return runs_; }
  // Of the table's rows; empty without a table.
  const std::string& system() const { return system_; }
  std::string name_of(const PlannedRun& run) const {
    return system_.empty() ? run.name : fmt::format("{}.{}", system_, run.name);
  }
  // Why a run cannot be; empty: it can.
  std::string hindrance(const PlannedRun& run) const;

  double seconds_of(const PlannedRun& run, StepClock& clock) const;
  // Returns how many images are trained on.
  std::int64_t print_plan(const PlannedRun& run, double seconds) const;
  std::vector<std::string> command_of(const PlannedRun& run) const;
  Job job_of(const PlannedRun& run) const;
  // Makes or continues the sweep's folder, which is this process's as long as the lock lives. Other processes may run
  // the same sweep: for what lies there each of them waits its turn.
  FolderLock open_folder() const;

 private:
  RunSetup setup_of(const PlannedRun& run) const;
  std::vector<std::pair<std::string, nlohmann::json>> common_options() const;
  std::vector<std::pair<std::string, nlohmann::json>> options_of(const PlannedRun& run) const;
  std::string ldm_of(const PlannedRun& run) const;
  fs::path folder_of(const PlannedRun& run) const { return out_ / "runs" / run.name; }
  fs::path log_of(const PlannedRun& run) const { return out_ / "logs" / (run.name + ".log"); }
  bool is_finished(const PlannedRun& run) const;
  const char* state_of(const PlannedRun& run) const;
  void check_options_of_runs() const;

  const SweepArguments& arguments_;
  std::string system_, recipe_;
  std::vector<std::string> settings_;  // key=value, over the recipe
  fs::path out_;
  SetSizes sizes_;
  SweepRequest request_;
  std::vector<PlannedRun> runs_;
};

std::optional<nlohmann::json> try_read_description(const fs::path& run) {
  try {
    return fs::exists(run / "run.json") ? std::optional(read_run_description(run)) : std::nullopt;
  } catch (const Error&) {
    return std::nullopt;
  }
}

std::vector<std::string> targets_of(const std::string& list, const std::vector<std::string>& domains) {
  if (list == "all") return domains;
  std::vector<std::string> names;
  std::istringstream parts(list);
  for (std::string name; std::getline(parts, name, ',');) names.push_back(name);
  return names;
}

std::vector<std::string> absolute_loras(const std::vector<std::string>& words) {
  std::vector<std::string> absolute;
  for (const LoraChoice& lora : lora_choices(words))
    absolute.push_back(fmt::format("{}:{}", fs::absolute(lora.path).string(), lora.scale));
  return absolute;
}

FolderLock lock_in_turn(const fs::path& sweep) {
  const std::string subject = fmt::format("the sweep '{}'", sweep.string());
  constexpr int kTries = 300;
  for (int tries = 1; tries < kTries; ++tries) {
    try {
      return FolderLock(sweep, subject);
    } catch (const IoError&) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
  return FolderLock(sweep, subject);
}

std::string setting(const std::string& key, const nlohmann::json& value) {
  return fmt::format("{}={}", key, json_text(value));  // JSON's texts and numbers are TOML's too
}

std::string absolute_ldm(const std::string& ldm) {
  const bool is_pattern = ldm.find(kTargetInPath) != std::string::npos;
  return ldm.empty() ? "" : fs::absolute(is_pattern ? fs::path(ldm) : located_weights(ldm)).string();
}

Sweep::Sweep(const SweepArguments& arguments, const TableSystem* system, std::int64_t place)
    : arguments_(arguments), out_(fs::absolute(arguments.out).lexically_normal()) {
  if (system != nullptr) {
    system_ = system->name;
    out_ /= system_;
    for (const auto& [key, value] : flat_options(system->options)) settings_.push_back(setting(key, value));
  } else {
    recipe_ = arguments.recipe;
  }
  settings_.insert(settings_.end(), arguments.overrides.begin(), arguments.overrides.end());
  RunSetup setup = make_run_setup(recipe_, settings_, common_options());
  sizes_ = sizes_of(setup.config);
  check<ConfigError>(
      arguments.hparams == 1 || setup.config.hparams == HparamSource::kDomainbed,
      "--hparams {} without hparams = \"domainbed\": all of these runs would be the same; say so in the recipe, or "
      "with --set hparams=domainbed",
      arguments.hparams);
  request_ = {sizes_.name,
              domainbed_algorithm(setup.config.algorithm),
              setup.config.averaging.method,
              sizes_.domain_names,
              targets_of(arguments.targets, sizes_.domain_names),
              arguments.trials,
              arguments.hparams,
              arguments.cross_validation,
              setup.fields().to_json(),
              system == nullptr ? "" : system->group,
              place};
  runs_ = plan_sweep(request_);
}

std::vector<std::pair<std::string, nlohmann::json>> Sweep::common_options() const {
  std::vector<std::pair<std::string, nlohmann::json>> options;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) options.emplace_back(key, value);
  };
  add("data.root", arguments_.data.empty() ? "" : fs::absolute(arguments_.data).string());
  add("algorithm", arguments_.algorithm);
  add("ldm", absolute_ldm(arguments_.ldm));
  add("ldm_vae", arguments_.vae.empty() ? "" : fs::absolute(located_weights(arguments_.vae)).string());
  if (!arguments_.loras.empty()) options.emplace_back("ldm_loras", absolute_loras(arguments_.loras));
  return options;
}

std::string Sweep::ldm_of(const PlannedRun& run) const {
  std::string ldm = absolute_ldm(arguments_.ldm);
  const auto place = ldm.find(kTargetInPath);
  return place == std::string::npos ? ldm : ldm.replace(place, kTargetInPath.size(), run.test_domain);
}

std::vector<std::pair<std::string, nlohmann::json>> Sweep::options_of(const PlannedRun& run) const {
  auto options = common_options();
  if (!arguments_.ldm.empty()) options.emplace_back("ldm", ldm_of(run));
  for (const auto& option : run.options()) options.push_back(option);
  return options;
}

RunSetup Sweep::setup_of(const PlannedRun& run) const { return make_run_setup(recipe_, settings_, options_of(run)); }

// A row of a table needs not be there; a sweep of one system says so itself, as each run would.
std::string Sweep::hindrance(const PlannedRun& run) const {
  if (system_.empty()) return {};
  RunSetup setup = setup_of(run);
  const PlannedWork work = count_run(setup, sizes_).work;
  if (work.unet_images == 0 && work.vae_images == 0) return {};
  if (setup.config.ldm.empty()) return "it needs a diffusion model (--ldm)";
  return fs::exists(setup.config.ldm) ? "" : fmt::format("there is no '{}'", setup.config.ldm);
}

std::vector<std::string> Sweep::command_of(const PlannedRun& run) const {
  const std::int64_t each = std::max<std::int64_t>(1, numeric_threads() / arguments_.jobs);
  std::vector<std::string> command{fs::read_symlink("/proc/self/exe").string(),
                                   "--threads",
                                   std::to_string(each),
                                   "train",
                                   "--resume",
                                   "--out",
                                   folder_of(run).string()};
  if (arguments_.yes) command.push_back("--yes");
  if (!recipe_.empty()) command.insert(command.end(), {"--recipe", fs::absolute(recipe_).string()});
  std::vector<std::string> settings = settings_;
  for (const auto& [key, value] : options_of(run)) settings.push_back(setting(key, value));
  for (const std::string& one : settings) command.insert(command.end(), {"--set", one});
  return command;
}

// FormatError if the run cannot be read.
bool Sweep::is_finished(const PlannedRun& run) const {
  const fs::path folder = folder_of(run);
  try {
    return fs::exists(folder / "run.json") && read_run(folder).finished();
  } catch (const Error& error) {
    throw FormatError(fmt::format("{}; remove '{}', and the sweep makes this run anew", error.what(), folder.string()));
  }
}

const char* Sweep::state_of(const PlannedRun& run) const {
  try {
    return is_finished(run) ? ", finished" : "";
  } catch (const Error&) {
    return ", cannot be read";
  }
}

// Of all runs that were ever asked for here: one row of the table has one set of options.
void Sweep::check_options_of_runs() const {
  for (const PlannedRun& run : plan_sweep(joined_request(out_, request_))) {
    const auto description = try_read_description(folder_of(run));
    if (!description || !description->contains("config")) continue;  // not begun; or broken, which the queue reports
    const std::string other = other_options(description->at("config"), setup_of(run).fields().to_json());
    check<ConfigError>(other.empty(),
                       "'{}' was made with other options: {}; choose another --out, or remove that folder",
                       folder_of(run).string(), other);
  }
}

FolderLock Sweep::open_folder() const {
  fs::create_directories(out_);
  FolderLock lock = lock_in_turn(out_);
  check_options_of_runs();
  write_sweep_request(out_, request_);
  fs::create_directories(out_ / "runs");
  fs::create_directories(out_ / "logs");
  return lock;
}

double Sweep::seconds_of(const PlannedRun& run, StepClock& clock) const {
  RunSetup setup = setup_of(run);
  const RunPlan plan = count_run(setup, sizes_);
  const StepTimes& times = clock.of_steps(setup, sizes_.classes);
  double seconds =
      estimated_seconds(plan.budget, times) + plan.work.classifier_images / 3 * times.train_seconds_per_image;
  if ((plan.work.unet_images > 0 || plan.work.vae_images > 0) && !setup.config.ldm.empty())
    seconds += ldm_seconds(plan.work, clock.of_ldm(setup.config));
  return seconds;
}

std::int64_t Sweep::print_plan(const PlannedRun& run, double seconds) const {
  RunSetup setup = setup_of(run);
  const RunBudget budget = run_budget(setup, sizes_);
  fmt::print("{:<40} {:>7} steps of {:>4} images, lr {:<10.3g} {:>8}{}\n", name_of(run), budget.steps,
             budget.images_per_step, setup.config.optimizer.lr, format_seconds(seconds), state_of(run));
  return budget.steps * budget.images_per_step;
}

Job Sweep::job_of(const PlannedRun& run) const {
  return {name_of(run), command_of(run), log_of(run), [this, &run] { return is_finished(run); }};
}

// One sweep, or those of all systems of a table.
class SweepTable {
 public:
  explicit SweepTable(const SweepArguments& arguments);
  void print_plan() const;
  void write_slurm() const;
  void run() const;

 private:
  struct Entry {
    const Sweep* sweep = nullptr;
    const PlannedRun* run = nullptr;
    double seconds = 0;
  };
  void order_runs();
  void tell_left_out() const;
  std::vector<FolderLock> open_folders() const;

  const SweepArguments& arguments_;
  fs::path out_;
  std::vector<std::unique_ptr<Sweep>> sweeps_;
  std::vector<Entry> entries_;                                // in the order of work
  std::map<std::string, std::vector<std::string>> left_out_;  // runs, by why
};

SweepTable::SweepTable(const SweepArguments& arguments)
    : arguments_(arguments), out_(fs::absolute(arguments.out).lexically_normal()) {
  const auto systems =
      arguments.recipe.empty() ? std::optional<std::vector<TableSystem>>() : read_table_recipe(arguments.recipe);
  if (!systems) {
    sweeps_.push_back(std::make_unique<Sweep>(arguments, nullptr, 0));
  } else {
    check<ConfigError>(arguments.algorithm.empty(), "--algorithm: the recipe '{}' names those of its systems",
                       arguments.recipe);
    for (const TableSystem& system : *systems) {
      const std::int64_t place = std::ssize(sweeps_);
      with_context(fmt::format("system '{}'", system.name),
                   [&] { sweeps_.push_back(std::make_unique<Sweep>(arguments, &system, place)); });
    }
  }
  order_runs();
}

// Of a table, whole trials first, within them the cheap runs: as many cells as can be have figures early.
void SweepTable::order_runs() {
  StepClock clock;
  for (const auto& sweep : sweeps_) {
    for (const PlannedRun& run : sweep->runs()) {
      const std::string hindrance = sweep->hindrance(run);
      if (hindrance.empty())
        entries_.push_back({sweep.get(), &run, 0});
      else
        left_out_[hindrance].push_back(sweep->name_of(run));
    }
  }
  if (sweeps_.size() < 2 && !arguments_.dry_run) return;
  for (Entry& entry : entries_) entry.seconds = entry.sweep->seconds_of(*entry.run, clock);
  if (sweeps_.size() < 2) return;
  const auto key = [](const Entry& entry) {
    const auto cost =
        std::lround(2 * std::log2(std::max(entry.seconds, 1.0)));  // about equal ones in the table's order
    return std::tuple(entry.run->trial_seed, entry.run->hparams_seed, cost);
  };
  std::stable_sort(entries_.begin(), entries_.end(), [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
}

void SweepTable::tell_left_out() const {
  for (const auto& [hindrance, runs] : left_out_)
    log_warning("{} runs are left out, {}: {}", runs.size(), hindrance, fmt::join(runs, ", "));
}

void SweepTable::print_plan() const {
  double seconds = 0;
  std::int64_t images = 0;
  for (const Entry& entry : entries_) {
    images += entry.sweep->print_plan(*entry.run, entry.seconds);
    seconds += entry.seconds;
  }
  fmt::print("{} runs, {} training images; about {} of training with this machine's threads, without reading images\n",
             entries_.size(), images, format_seconds(seconds));
  tell_left_out();
}

std::vector<FolderLock> SweepTable::open_folders() const {
  std::vector<FolderLock> locks;
  for (const auto& sweep : sweeps_) locks.push_back(sweep->open_folder());
  return locks;
}

void SweepTable::write_slurm() const {
  const std::vector<FolderLock> locks = open_folders();
  fs::create_directories(out_ / "logs");
  std::vector<std::vector<std::string>> commands;
  for (const Entry& entry : entries_) commands.push_back(entry.sweep->command_of(*entry.run));
  const fs::path script = write_slurm_script(out_, commands, arguments_.jobs);
  log_info("{} runs in {}; started with: sbatch {}", entries_.size(), script.string(), shell_quoted(script.string()));
  tell_left_out();
  if (!arguments_.submit) return;
  const fs::path log = out_ / "logs" / "sbatch.log";
  const int code =
      ChildProcess({"/bin/sh", "-c", fmt::format("exec sbatch {}", shell_quoted(script.string()))}, log).wait();
  check(code == 0, "sbatch ended with exit code {} (see {})", code, log.string());
}

void SweepTable::run() const {
  open_folders();
  Leases leases(out_);
  std::vector<Job> jobs;
  for (const Entry& entry : entries_) jobs.push_back(entry.sweep->job_of(*entry.run));
  const StopSignal stop;
  const JobReport report = run_jobs(
      jobs, {arguments_.jobs, arguments_.retries, [&stop] { return stop.requested(); }, &leases, gpus_of_process()});
  log_info("{} of {} runs are finished, {} of them before", report.finished, jobs.size(), report.skipped);
  print_result_tables(find_runs({out_}), SelectionRule::kTrainingDomain, "text", sweeps_.size() > 1);
  tell_left_out();
  if (report.stopped) {
    log_info("stopped; the same command continues");
    throw Interrupted();
  }
  check(report.failed.empty(), "{} runs failed:\n  {}\nthe same command tries them again", report.failed.size(),
        fmt::join(report.failed, "\n  "));
}

void sweep(const SweepArguments& arguments) {
  check<ConfigError>(!arguments.submit || arguments.slurm, "--submit belongs to --slurm");
  const SweepTable table(arguments);
  if (arguments.dry_run) return table.print_plan();
  if (arguments.slurm) return table.write_slurm();
  table.run();
}

}  // namespace

void add_sweep_command(Command& app) {
  Command command = app.add("sweep",
                            "all runs of a table: targets x trials x hyper-parameter seeds; the same command continues "
                            "and extends it, and on "
                            "another machine that sees the folder takes its share");
  auto arguments = std::make_shared<SweepArguments>();
  command.option("--recipe", arguments->recipe,
                 "TOML file of options of each run; with [[systems]], of a whole table of them");
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>");
  command.option("--algorithm", arguments->algorithm, "see `domainfusion inspect algorithms`");
  command.option(
      "--ldm", arguments->ldm,
      "latent diffusion model, for algorithms that use one; {target} in its path is the held-out domain's name");
  add_lora_option(command, arguments->loras);
  add_vae_option(command, arguments->vae);
  command.option("--set", arguments->overrides, "one option of each run, key=value; may be given often");
  command.option("--targets", arguments->targets, "domains to hold out in turn, with commas between; or all")
      .default_shown();
  command.option("--trials", arguments->trials, "trial seeds 0, 1, …").within(1, 1000).default_shown();
  command
      .option("--hparams", arguments->hparams,
              "hyper-parameter seeds 0 (DomainBed's defaults), 1, …; DomainBed uses 20")
      .within(1, 1000)
      .default_shown();
  command.flag("--cross-validation", arguments->cross_validation,
               "also the runs with two held-out domains that leave-one-domain-out selection needs");
  command.option("--jobs", arguments->jobs, "runs at a time; they share the threads").within(1, 10000).default_shown();
  command.option("--retries", arguments->retries, "further tries of a run that failed").within(0, 100).default_shown();
  command.option("--out", arguments->out, "folder of the sweep").required();
  command.flag("--slurm", arguments->slurm, "write an array job script for Slurm instead of running");
  command.flag("--submit", arguments->submit, "hand that script to sbatch");
  command.flag("--dry-run", arguments->dry_run, "print runs, steps, images and estimated time");
  command.flag("--yes", arguments->yes, "start runs even if their estimated cost is over cost_limit_hours");
  command.run([arguments] { sweep(*arguments); });
}

}  // namespace domainfusion
