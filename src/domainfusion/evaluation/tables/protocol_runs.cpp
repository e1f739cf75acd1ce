#include "domainfusion/evaluation/tables/protocol_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/log.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/evaluation/sweeps/sweep_plan.h"
#include "domainfusion/evaluation/tables/result_table.h"
#include "domainfusion/evaluation/tables/run_result.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/training/options/hparam_ranges.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const double kUnknown = std::nan("");

std::int64_t place_of(const std::string& name, const std::vector<std::string>& names) {
  const auto place = std::find(names.begin(), names.end(), name);
  check<FormatError>(place != names.end(), "domain '{}' is none of {}", name, fmt::join(names, ", "));
  return place - names.begin();
}

// ---- runs of ours

ProtocolRun header_of(const RunResult& result) {
  ProtocolRun run;
  run.path = result.path;
  run.dataset = result.dataset;
  run.algorithm = domainbed_algorithm(result.algorithm);
  if (!result.soup.empty()) run.algorithm = averaged_system(run.algorithm, result.soup);
  run.environments = result.domain_names;
  run.classes = result.class_names;
  run.images = result.images;
  run.test_envs.push_back(place_of(result.test_domain, run.environments));
  if (!result.cross_validation_domain.empty()) {
    run.test_envs.push_back(place_of(result.cross_validation_domain, run.environments));
  }
  run.trial_seed = result.trial_seed;
  run.hparams_seed = result.hparams_seed;
  run.seed = result.seed;
  run.finished = result.test.has_value();
  run.under_fitted = run.finished && result.fit && result.fit->under_fitted();
  if (!result.validations.empty()) run.last_step = result.validations.back().step - 1;
  run.config = result.config;
  run.provenance = result.provenance;
  run.hparams = result.hparams;
  run.args = {{"dataset", run.dataset},
              {"algorithm", run.algorithm},
              {"test_envs", run.test_envs},
              {"trial_seed", run.trial_seed},
              {"hparams_seed", run.hparams_seed},
              {"seed", run.seed},
              {"holdout_fraction", result.config.value("holdout_fraction", 0.2)},
              {"steps", result.config.value("steps", json())},
              {"checkpoint_freq", result.config.value("checkpoint_frequency", json())},
              {"data_dir", result.config.value(json::json_pointer("/data/root"), "")},
              {"output_dir", result.path.string()},
              {"uda_holdout_fraction", 0.0},
              {"task", "domain_generalization"},
              {"skip_model_save", false}};
  return run;
}

ProtocolRecord empty_record(const ProtocolRun& run, std::int64_t steps_done) {
  ProtocolRecord record{run.dataset, run.algorithm, run.test_envs, run.trial_seed, run.hparams_seed, steps_done - 1, {},
                        {}};
  record.in_acc.assign(run.environments.size(), kUnknown);
  record.out_acc = record.in_acc;
  return record;
}

void fill(std::vector<double>& accuracies, const std::map<std::string, double>& by_domain, const ProtocolRun& run) {
  for (const auto& [domain, accuracy] : by_domain) {
    accuracies[static_cast<std::size_t>(place_of(domain, run.environments))] = accuracy;
  }
}

// Figures of held-out domains at a step, by split.
struct HeldOutFigures {
  std::map<std::string, double> in, out;
};

std::map<std::int64_t, HeldOutFigures> held_out_figures(const RunResult& result, const std::string& model) {
  std::map<std::int64_t, HeldOutFigures> figures;
  for (const CrossValidationRecord& record : result.cross_validations) {
    figures[record.step] = {record.in_accuracy, record.out_accuracy};
  }
  if (!result.cross_validation_domain.empty()) return figures;
  for (const OracleRecord& record : result.oracles) {
    if (record.model != model) continue;
    figures[record.step] = {{{record.domain, record.in_accuracy}}, {{record.domain, record.out_accuracy}}};
  }
  // Runs from before there were oracle records.
  const std::optional<TestRecord>& test = model.empty() ? result.test : result.average_test;
  if (test) figures[test->step].in[test->domain] = test->accuracy;
  return figures;
}

// Mean over the steps since the validation before.
double training_loss(const RunResult& result, const ValidationRecord& validation) {
  std::int64_t first = 0;
  for (const ValidationRecord& earlier : result.validations) {
    if (earlier.step < validation.step) first = std::max(first, earlier.step);
  }
  const std::int64_t last = std::min(validation.step, static_cast<std::int64_t>(result.step_losses.size()));
  double sum = 0;
  for (std::int64_t step = first; step < last; ++step) sum += result.step_losses[static_cast<std::size_t>(step)];
  return last > first ? sum / static_cast<double>(last - first) : kUnknown;
}

// DomainBed's: steps in which the smallest source domain is drawn once, on average.
double steps_per_epoch(const RunResult& result) {
  const double holdout = result.config.value("holdout_fraction", 0.2);
  const double batch = result.config.value(json::json_pointer("/loader/batch_size"), 1.0);
  double fewest = std::numeric_limits<double>::infinity();
  for (const auto& [domain, images] : result.images) {
    if (domain == result.test_domain || domain == result.cross_validation_domain) continue;
    fewest = std::min(fewest, static_cast<double>(images) - std::floor(static_cast<double>(images) * holdout));
  }
  return fewest / batch;
}

void add_records(const RunResult& result, std::span<const ValidationRecord> validations, const std::string& model,
                 ProtocolRun& run) {
  const auto figures = held_out_figures(result, model);
  for (const ValidationRecord& validation : validations) {
    const auto known = figures.find(validation.step);
    if (known == figures.end()) continue;
    ProtocolRecord record = empty_record(run, validation.step);
    fill(record.out_acc, validation.accuracy, run);
    fill(record.in_acc, known->second.in, run);
    fill(record.out_acc, known->second.out, run);
    run.records.push_back(std::move(record));
    const auto step = static_cast<double>(validation.step - 1);
    run.more.push_back({{"loss", training_loss(result, validation)}, {"epoch", step / steps_per_epoch(result)}});
  }
}

// The classifier's own figures on the sources stand beside DSI's on the target: that the classifier was chosen by them
// still holds.
void add_dsi_run(const RunResult& result, const DsiResult& dsi, std::vector<ProtocolRun>& runs) {
  ProtocolRun run = header_of(result);
  run.algorithm = averaged_system(run.algorithm, dsi.test.model);
  run.args["algorithm"] = run.algorithm;
  const ValidationRecord* validation = dsi.test.model == "dsi"     ? select_by_source_validation(result.validations)
                                       : result.average_validation ? &*result.average_validation
                                                                   : nullptr;
  check<FormatError>(validation != nullptr, "DSI's record has no validation of the classifier beside it");
  ProtocolRecord record = empty_record(run, validation->step);
  fill(record.out_acc, validation->accuracy, run);
  fill(record.in_acc, {{dsi.test.domain, dsi.test.accuracy}}, run);
  run.records.push_back(std::move(record));
  run.more.push_back(json::object());
  runs.push_back(std::move(run));
}

void add_our_runs(const RunResult& result, std::vector<ProtocolRun>& runs) {
  ProtocolRun run = header_of(result);
  add_records(result, result.validations, "", run);
  runs.push_back(run);
  for (const DsiResult& dsi : result.dsi) add_dsi_run(result, dsi, runs);
  const std::string method = result.config.value(json::json_pointer("/averaging/method"), "none");
  if (method == "none" || !result.cross_validation_domain.empty()) return;
  ProtocolRun average = header_of(result);
  average.algorithm = averaged_system(run.algorithm, method);
  average.args["algorithm"] = average.algorithm;
  if (result.average_validation) add_records(result, {&*result.average_validation, 1}, method, average);
  runs.push_back(std::move(average));
}

void add_our_runs(const fs::path& folder, std::vector<ProtocolRun>& runs) {
  const RunResult result = read_run(folder);
  with_json_context(fmt::format("'{}'", folder.string()), [&] { add_our_runs(result, runs); });
}

// ---- runs of DomainBed

std::vector<std::string> environments_of(const ProtocolRecord& record) {
  const KnownDataset* known = find_known_dataset(record.dataset);
  if (known && known->domain_names.size() == record.in_acc.size()) return known->domain_names;
  std::vector<std::string> names;
  for (std::size_t env = 0; env < record.in_acc.size(); ++env) names.push_back(fmt::format("env{}", env));
  return names;
}

ProtocolRun header_of(const fs::path& folder, const json& line, const ProtocolRecord& record) {
  ProtocolRun run;
  run.path = folder;
  run.dataset = record.dataset;
  run.algorithm = record.algorithm;
  run.environments = environments_of(record);
  run.test_envs = record.test_envs;
  run.trial_seed = record.trial_seed;
  run.hparams_seed = record.hparams_seed;
  run.args = line.at("args");
  run.seed = run.args.value("seed", std::int64_t{0});
  run.hparams = line.value("hparams", json());
  std::error_code unreadable;
  run.finished = fs::exists(folder / "done", unreadable);
  return run;
}

bool is_of(const ProtocolRun& run, const ProtocolRecord& record) {
  return run.dataset == record.dataset && run.algorithm == record.algorithm && run.test_envs == record.test_envs &&
         run.trial_seed == record.trial_seed && run.hparams_seed == record.hparams_seed;
}

// One file usually holds one run; a file that was put together from several is taken apart again.
void add_domainbed_runs(const fs::path& file, std::vector<ProtocolRun>& runs) {
  const std::size_t first = runs.size();
  const std::vector<json> lines = read_json_lines(file);
  const auto add = [&](const json& line) {
    ProtocolRecord record = protocol_record(line);
    auto run = std::find_if(runs.begin() + static_cast<std::ptrdiff_t>(first), runs.end(),
                            [&](const ProtocolRun& known) { return is_of(known, record); });
    if (run == runs.end()) run = runs.insert(run, header_of(file.parent_path(), line, record));
    run->last_step = std::max(run->last_step, record.step);
    run->records.push_back(std::move(record));
    run->more.push_back({{"loss", line.value("loss", json())}, {"epoch", line.value("epoch", json())}});
  };
  with_json_context(fmt::format("'{}'", file.string()), [&] { std::for_each(lines.begin(), lines.end(), add); });
}

// ---- runs that a sweep has not begun

void add_planned_runs(const fs::path& folder, const SweepRequest& request, std::vector<ProtocolRun>& runs) {
  for (const PlannedRun& planned : plan_sweep(request)) {
    ProtocolRun run;
    run.path = folder / "runs" / planned.name;
    std::error_code unreadable;
    if (fs::exists(run.path / "run.json", unreadable) || unreadable) continue;
    run.dataset = request.dataset;
    run.algorithm = request.algorithm;
    run.environments = request.environments;
    run.test_envs = planned.test_envs;
    run.trial_seed = planned.trial_seed;
    run.hparams_seed = planned.hparams_seed;
    run.seed = planned.seed;
    runs.push_back(run);
    if (request.averaging == "none" || planned.test_envs.size() > 1) continue;
    run.algorithm = averaged_system(request.algorithm, request.averaging);
    runs.push_back(std::move(run));
  }
}

class Search {
 public:
  // A file is one of DomainBed's, whatever its name.
  void look(const fs::path& place) {
    if (fs::is_directory(place)) return look_into(place);
    guarded([&] { add_domainbed_runs(place, found_.runs); });
  }
  FoundRuns take() { return std::move(found_); }

 private:
  void look_into(const fs::path& folder) {
    std::error_code error;
    const fs::path real = fs::canonical(folder, error);
    if (!visited_.insert(error ? folder : real).second) return;
    if (holds(folder, "sweep.json")) return look_into_sweep(folder);
    look_further(folder);
  }

  void look_further(const fs::path& folder) {
    if (holds(folder, "run.json")) return guarded([&] { add_our_runs(folder, found_.runs); });
    if (holds(folder, "results.jsonl"))
      return guarded([&] { add_domainbed_runs(folder / "results.jsonl", found_.runs); });
    for (const fs::path& inner : folders_in(folder)) look_into(inner);
  }

  void look_into_sweep(const fs::path& folder) {
    SweepRequest request;
    const std::size_t before = found_.runs.size();
    guarded([&] {
      request = read_sweep_request(folder);
      add_planned_runs(folder, request, found_.runs);
    });
    look_further(folder);
    for (std::size_t i = before; i < found_.runs.size(); ++i) {
      found_.runs[i].group = request.group;
      found_.runs[i].place = request.place;
    }
  }

  static bool holds(const fs::path& folder, const char* name) {
    std::error_code unreadable;
    return fs::exists(folder / name, unreadable);
  }

  // Links last: a run that lies in the tree has the name that it has there.
  static std::vector<fs::path> folders_in(const fs::path& folder) {
    std::set<fs::path> real, links;
    std::error_code error, ignored;
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (entry->is_directory(ignored)) (entry->is_symlink(ignored) ? links : real).insert(entry->path());
    }
    if (error) log_warning("'{}' cannot be looked into, runs there are left out: {}", folder.string(), error.message());
    std::vector<fs::path> folders(real.begin(), real.end());
    folders.insert(folders.end(), links.begin(), links.end());
    return folders;
  }

  template <class Action>
  void guarded(Action action) {
    const auto before = static_cast<std::ptrdiff_t>(found_.runs.size());
    try {
      action();
    } catch (const Error& error) {
      found_.runs.erase(found_.runs.begin() + before, found_.runs.end());
      found_.unreadable.emplace_back(error.what());
    }
  }

  FoundRuns found_;
  std::set<fs::path> visited_;
};

}  // namespace

FoundRuns find_runs(const std::vector<fs::path>& folders) {
  Search search;
  for (const fs::path& folder : folders) {
    std::error_code error;
    check<IoError>(fs::exists(folder, error), "'{}' {}: name folders of runs or sweeps", folder.string(),
                   error ? error.message() : "does not exist");
    search.look(folder);
  }
  return search.take();
}

void rename_set(ProtocolRun& run, const std::string& name) {
  run.dataset = name;
  if (run.args.is_object()) run.args["dataset"] = name;
  for (ProtocolRecord& record : run.records) record.dataset = name;
}

void rename_algorithm(ProtocolRun& run, const std::string& name) {
  run.algorithm = name;
  for (ProtocolRecord& record : run.records) record.algorithm = name;
}

void renumber_trial(ProtocolRun& run, std::int64_t trial) {
  run.trial_seed = trial;
  for (ProtocolRecord& record : run.records) record.trial_seed = trial;
}

std::vector<ProtocolRecord> records_of(const std::vector<ProtocolRun>& runs) {
  std::vector<ProtocolRecord> records;
  for (const ProtocolRun& run : runs) records.insert(records.end(), run.records.begin(), run.records.end());
  return records;
}

}  // namespace domainfusion
