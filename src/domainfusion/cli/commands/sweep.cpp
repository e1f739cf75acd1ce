// domainfusion sweep: all runs of a table, planned, run side by side, repeated where they fail, continued where they
// stopped.

#include <thread>

#include "domainfusion/cli/commands.h"
#include "domainfusion/cli/ldm_arguments.h"
#include "domainfusion/cli/processes/farm_workers.h"
#include "domainfusion/cli/result_tables.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/threads.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/diffusion/adapted/adapted_source.h"
#include "domainfusion/evaluation/plans/run_budget.h"
#include "domainfusion/evaluation/sweeps/child_process.h"
#include "domainfusion/evaluation/sweeps/config_differences.h"
#include "domainfusion/evaluation/sweeps/job_queue.h"
#include "domainfusion/evaluation/sweeps/slurm_script.h"
#include "domainfusion/evaluation/sweeps/sweep_plan.h"
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

class Sweep {
 public:
  explicit Sweep(const SweepArguments& arguments);
  void print_plan() const;
  void write_slurm() const;
  void run() const;

 private:
  RunSetup setup_of(const PlannedRun& run) const;
  std::vector<std::pair<std::string, nlohmann::json>> common_options() const;
  std::vector<std::string> command_of(const PlannedRun& run) const;
  fs::path folder_of(const PlannedRun& run) const { return out_ / "runs" / run.name; }
  fs::path log_of(const PlannedRun& run) const { return out_ / "logs" / (run.name + ".log"); }
  bool is_finished(const PlannedRun& run) const;
  const char* state_of(const PlannedRun& run) const;
  void check_options_of_runs() const;
  FolderLock open_folder() const;

  const SweepArguments& arguments_;
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

Sweep::Sweep(const SweepArguments& arguments)
    : arguments_(arguments), out_(fs::absolute(arguments.out).lexically_normal()) {
  RunSetup setup = make_run_setup(arguments.recipe, arguments.overrides, common_options());
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
              setup.fields().to_json()};
  runs_ = plan_sweep(request_);
}

std::vector<std::pair<std::string, nlohmann::json>> Sweep::common_options() const {
  std::vector<std::pair<std::string, nlohmann::json>> options;
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) options.emplace_back(key, value);
  };
  add("data.root", arguments_.data.empty() ? "" : fs::absolute(arguments_.data).string());
  add("algorithm", arguments_.algorithm);
  add("ldm", arguments_.ldm.empty() ? "" : fs::absolute(located_weights(arguments_.ldm)).string());
  add("ldm_vae", arguments_.vae.empty() ? "" : fs::absolute(located_weights(arguments_.vae)).string());
  if (!arguments_.loras.empty()) options.emplace_back("ldm_loras", absolute_loras(arguments_.loras));
  return options;
}

RunSetup Sweep::setup_of(const PlannedRun& run) const {
  auto options = common_options();
  for (const auto& option : run.options()) options.push_back(option);
  return make_run_setup(arguments_.recipe, arguments_.overrides, options);
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
  if (!arguments_.recipe.empty()) command.insert(command.end(), {"--recipe", fs::absolute(arguments_.recipe).string()});
  std::vector<std::string> settings = arguments_.overrides;
  auto options = common_options();
  for (const auto& option : run.options()) options.push_back(option);
  for (const auto& [key, value] : options) {
    settings.push_back(fmt::format("{}={}", key, json_text(value)));  // JSON's texts and numbers are TOML's too
  }
  for (const std::string& setting : settings) command.insert(command.end(), {"--set", setting});
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

// Makes or continues the sweep's folder, which is this process's as long as the lock lives. Other processes may run the
// same sweep: for what lies there each of them waits its turn.
FolderLock Sweep::open_folder() const {
  fs::create_directories(out_);
  FolderLock lock = lock_in_turn(out_);
  check_options_of_runs();
  write_sweep_request(out_, request_);
  fs::create_directories(out_ / "runs");
  fs::create_directories(out_ / "logs");
  return lock;
}

void Sweep::print_plan() const {
  std::map<std::int64_t, StepTimes> times;  // by batch size: a draw of hyper-parameters changes it
  double seconds = 0;
  std::int64_t images = 0;
  for (const PlannedRun& run : runs_) {
    RunSetup setup = setup_of(run);
    const RunBudget budget = run_budget(setup, sizes_);
    const std::int64_t batch = std::min<std::int64_t>(setup.config.loader.batch_size, 8);
    if (!times.count(batch)) times[batch] = measure_step_times(setup, sizes_.classes);
    const double own = estimated_seconds(budget, times[batch]);
    fmt::print("{:<40} {:>7} steps of {:>4} images, lr {:<10.3g} {:>8}{}\n", run.name, budget.steps,
               budget.images_per_step, setup.config.optimizer.lr, format_seconds(own), state_of(run));
    seconds += own;
    images += budget.steps * budget.images_per_step;
  }
  fmt::print(
      "{} runs, {} training images; about {} of plain training with this machine's threads, without reading images\n",
      runs_.size(), images, format_seconds(seconds));
}

void Sweep::write_slurm() const {
  const FolderLock lock = open_folder();
  std::vector<std::vector<std::string>> commands;
  for (const PlannedRun& run : runs_) commands.push_back(command_of(run));
  const fs::path script = write_slurm_script(out_, commands, arguments_.jobs);
  log_info("{} runs in {}; started with: sbatch {}", runs_.size(), script.string(), shell_quoted(script.string()));
  if (!arguments_.submit) return;
  const fs::path log = out_ / "logs" / "sbatch.log";
  const int code =
      ChildProcess({"/bin/sh", "-c", fmt::format("exec sbatch {}", shell_quoted(script.string()))}, log).wait();
  check(code == 0, "sbatch ended with exit code {} (see {})", code, log.string());
}

void Sweep::run() const {
  open_folder();
  Leases leases(out_);
  std::vector<Job> jobs;
  for (const PlannedRun& run : runs_) {
    jobs.push_back({run.name, command_of(run), log_of(run), [this, &run] { return is_finished(run); }});
  }
  const StopSignal stop;
  const JobReport report = run_jobs(
      jobs, {arguments_.jobs, arguments_.retries, [&stop] { return stop.requested(); }, &leases, gpus_of_process()});
  log_info("{} of {} runs are finished, {} of them before", report.finished, runs_.size(), report.skipped);
  print_result_tables(find_runs({out_}), SelectionRule::kTrainingDomain, "text");
  if (report.stopped) {
    log_info("stopped; the same command continues");
    throw Interrupted();
  }
  check(report.failed.empty(), "{} runs failed:\n  {}\nthe same command tries them again", report.failed.size(),
        fmt::join(report.failed, "\n  "));
}

void sweep(const SweepArguments& arguments) {
  check<ConfigError>(!arguments.submit || arguments.slurm, "--submit belongs to --slurm");
  const Sweep sweep(arguments);
  if (arguments.dry_run) return sweep.print_plan();
  if (arguments.slurm) return sweep.write_slurm();
  sweep.run();
}

}  // namespace

void add_sweep_command(Command& app) {
  Command command = app.add("sweep",
                            "all runs of a table: targets x trials x hyper-parameter seeds; the same command continues "
                            "and extends it, and on "
                            "another machine that sees the folder takes its share");
  auto arguments = std::make_shared<SweepArguments>();
  command.option("--recipe", arguments->recipe, "TOML file of options of each run");
  command.option("--data", arguments->data, "folder <domain>/<class>/<image>");
  command.option("--algorithm", arguments->algorithm, "see `domainfusion inspect algorithms`");
  command.option("--ldm", arguments->ldm, "latent diffusion model, for algorithms that use one");
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
