#include "domainfusion/training/records/run_folder.h"

#include <memory>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Options that change where and how fast a run happens, never its numbers.
const std::set<std::string> kWithoutEffect = {
    "/config/loader/workers", "/config/loader/ahead_steps", "/config/cost_limit_hours",  "/config/data/root",
    "/config/data/cache_mb",  "/config/data/cache",         "/config/data/cache_folder", "/config/ldm",
    "/config/ldm_tokenizer",  "/config/candidates",         "/config/keep_checkpoints",  "/config/tensorboard"};

void create_folder(const fs::path& path) {
  for (fs::path part = path; !part.empty(); part = part.parent_path()) {
    std::error_code ignored;
    check<IoError>(!fs::exists(part, ignored) || fs::is_directory(part, ignored),
                   "run folder '{}': '{}' is a file, not a folder; choose another --out", path.string(), part.string());
    if (part == part.parent_path()) break;
  }
  std::error_code error;
  fs::create_directories(path, error);
  check<IoError>(!error, "run folder '{}' cannot be made: {}; choose a writable place for --out", path.string(),
                 error.message());
}

bool holds_nothing(const fs::path& path) {
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().filename() != "lock") return false;
  }
  return true;
}

std::string differences(const json& before, const json& now) {
  const json old_values = before.flatten(), new_values = now.flatten();
  std::set<std::string> keys;
  for (const auto& [key, value] : old_values.items()) keys.insert(key);
  for (const auto& [key, value] : new_values.items()) keys.insert(key);
  std::string text;
  for (const std::string& key : keys) {
    const json a = old_values.value(key, json()), b = new_values.value(key, json());
    if (a == b || !changes_results(key)) continue;
    text += fmt::format("{}{} was {}, is {}", text.empty() ? "" : "; ", key.substr(1), json_text(a), json_text(b));
  }
  return text;
}

void warn_of_other_code(const json& before, const json& now) {
  const json::json_pointer code("/provenance/code");
  const std::string old_code = before.value(code, ""), new_code = now.value(code, "");
  if (!old_code.empty() && old_code != new_code) {
    log_warning("the run was started by version {} and is continued by {}", old_code, new_code);
  }
}

void remove_old_run(const fs::path& path) {
  check<ConfigError>(
      fs::exists(path / "run.json"),
      "--overwrite: '{}' holds files but no run.json: it is not a run folder, so nothing is removed; choose "
      "another --out",
      path.string());
  for (const auto& entry : fs::directory_iterator(path)) {
    if (entry.path().filename() != "lock") fs::remove_all(entry.path());
  }
}

bool comes_after_training(const json& record) {
  const std::string type = record.value("type", "");
  return type == "test" || type == "oracle" || record.contains("model");
}

}  // namespace

RunFolder::RunFolder(fs::path path, RunMode mode, const json& description, json defaults)
    : path_(fs::absolute(std::move(path)).lexically_normal()) {
  create_folder(path_);
  lock_.emplace(path_, fmt::format("run folder '{}'", path_.string()));
  if (!holds_nothing(path_)) {
    check<ConfigError>(
        mode != RunMode::kNew,
        "run folder '{}' is not empty: pass --resume to continue that run, --overwrite to start it anew, or "
        "choose another --out",
        path_.string());
    if (mode == RunMode::kOverwrite) remove_old_run(path_);
    check<ConfigError>(mode != RunMode::kResume || fs::exists(path_ / "run.json"),
                       "--resume: '{}' holds files but no run.json: it is not a run folder; choose another --out",
                       path_.string());
  }
  if (mode == RunMode::kResume && fs::exists(path_ / "run.json")) {
    const json before = read_run_description(path_);
    warn_of_other_code(before, description);
    defaults.merge_patch(before);
    const std::string changed = differences(defaults, description);
    check<ConfigError>(changed.empty(), "--resume: '{}' was started with another configuration: {}", path_.string(),
                       changed);
  }
  fresh_ = !fs::exists(path_ / "run.json");
  write_file_atomically(path_ / "run.json", json_text(description, 2) + "\n");
}

JsonLinesWriter& RunFolder::records() {
  if (!records_) records_ = std::make_unique<JsonLinesWriter>(path_ / "records.jsonl");
  return *records_;
}

void RunFolder::write_record(const json& record) {
  records().write(record);
  if (sink_) sink_->write(record);
}

void RunFolder::discard_if_fresh() {
  if (!fresh_) return;
  records_.reset();
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void RunFolder::rewind_records(std::int64_t step) {
  const fs::path file = path_ / "records.jsonl";
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
