#include "domainfusion/training/records/run_folder.h"

#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// What says where and how fast a run happens, never its numbers. "dataset" is a folder's name: domains, classes and
// numbers of images stand beside it.
const std::set<std::string> kWithoutEffect = {"/dataset",
                                              "/config/loader/workers",
                                              "/config/loader/ahead_steps",
                                              "/config/cost_limit_hours",
                                              "/config/data/root",
                                              "/config/data/cache_mb",
                                              "/config/data/cache",
                                              "/config/data/cache_folder",
                                              "/config/ldm",
                                              "/config/ldm_tokenizer",
                                              "/config/ldm_loras",
                                              "/config/ldm_vae",
                                              "/config/candidates",
                                              "/config/keep_checkpoints",
                                              "/config/tensorboard",
                                              "/config/report/live",
                                              "/config/checkpoint_minutes"};

constexpr const char* kEarlierEnds = "earlier_ends";

bool is_length(const std::string& pointer) { return pointer == "/config/steps" || pointer == "/config/epochs"; }

std::int64_t total_steps(const json& description, std::int64_t steps_per_epoch) {
  const json config = description.value("config", json::object());
  const auto epochs = config.value("epochs", std::int64_t{0});
  return epochs > 0 ? epochs * steps_per_epoch : config.value("steps", std::int64_t{0});
}

bool comes_after_training(const json& record) {
  const std::string type = record.value("type", "");
  return type == "fit" || type == "test" || type == "oracle" || record.contains("model");
}

}  // namespace

RunFolder::RunFolder(const fs::path& path, RunMode mode, json description, ResumeRules rules)
    : folder_(std::in_place, path, mode, OwnedFolder::Kind{"run folder", "run.json"}), path_(folder_->path()) {
  if (folder_->resumed()) {
    try {
      continue_run(description, std::move(rules));
    } catch (const json::exception& error) {
      throw FormatError(fmt::format("'{}': {}", (path_ / "run.json").string(), error.what()));
    }
  }
  if (description.contains(kEarlierEnds)) earlier_ends_ = description[kEarlierEnds].get<std::vector<std::int64_t>>();
  folder_->begin(description);
}

RunFolder::RunFolder(const fs::path& path) : path_(fs::absolute(path)) {
  const json description = with_context("the ranks of a run need one file system, on which all of them see its folder",
                                        [&] { return read_run_description(path_); });
  if (description.contains(kEarlierEnds)) earlier_ends_ = description[kEarlierEnds].get<std::vector<std::int64_t>>();
}

void RunFolder::keep() {
  if (folder_) folder_->keep();
}

void RunFolder::continue_run(json& description, ResumeRules rules) const {
  const json before = folder_->description();
  check_provenance(before.value("provenance", json::object()), description.value("provenance", json::object()));
  rules.defaults.merge_patch(before);
  const std::int64_t old_length = total_steps(rules.defaults, rules.steps_per_epoch);
  const bool longer = total_steps(description, rules.steps_per_epoch) > old_length;
  const std::string changed = json_differences(rules.defaults, description, [&](const std::string& pointer) {
    if (pointer.starts_with(std::string("/") + kEarlierEnds)) return false;
    return changes_results(pointer) && !(longer && rules.fixed_length.empty() && is_length(pointer));
  });
  check<ConfigError>(changed.empty(), "--resume: '{}' was started with another configuration: {}{}", path().string(),
                     changed,
                     longer && !rules.fixed_length.empty() ? "; it cannot get more steps: " + rules.fixed_length : "");
  json ends = before.value(kEarlierEnds, json::array());
  if (longer) ends.push_back(old_length);
  if (!ends.empty()) description[kEarlierEnds] = std::move(ends);
  if (before.contains("provenance")) description["provenance"].update(before["provenance"]);
}

void RunFolder::check_provenance(const json& before, const json& now) const {
  const auto differs = [&](const char* what) {
    return before.contains(what) && now.contains(what) && before[what] != now[what];
  };
  const auto both = [&](const char* what) { return json_text(before[what]) + ", is " + json_text(now[what]); };
  check<ConfigError>(!differs("data_hash"),
                     "--resume: '{}' was started with other images (data_hash was {}): give it those again with "
                     "--data, or choose another --out",
                     path().string(), differs("data_hash") ? both("data_hash") : "");
  check<ConfigError>(!differs("weights_hash") || fs::exists(checkpoint_file()),
                     "--resume: '{}' was started with another file classifier.weights (weights_hash was {}): give it "
                     "that again, or choose another --out",
                     path().string(), differs("weights_hash") ? both("weights_hash") : "");
  for (const char* what : {"code", "ldm_hash"}) {
    if (differs(what)) log_warning("the run was started with another {}: it was {}", what, both(what));
  }
}

JsonLinesWriter& RunFolder::records() {
  if (!records_) records_ = std::make_unique<JsonLinesWriter>(path() / "records.jsonl");
  return *records_;
}

void RunFolder::write_record(const json& record) {
  if (!folder_) return;
  records().write(record);
  if (sink_) sink_->write(record);
}

void RunFolder::rewind_records(std::int64_t step) {
  if (!folder_) return;
  const fs::path file = path() / "records.jsonl";
  records_.reset();
  if (sink_) sink_->rewind(step);
  if (!fs::exists(file)) return;
  std::string kept;
  for (const json& record : read_json_lines(file)) {
    if (steps_done_at(record) <= step && !comes_after_training(record)) kept += json_text(record) + "\n";
  }
  write_file_atomically(file, kept);
}

bool changes_results(const std::string& pointer) {
  return kWithoutEffect.count(pointer) == 0 && !pointer.starts_with("/provenance");
}

json read_run_description(const fs::path& run) {
  check<IoError>(fs::exists(run / "run.json"), "'{}' is not a run folder: it holds no run.json", run.string());
  return read_json(run / "run.json");
}

}  // namespace domainfusion
