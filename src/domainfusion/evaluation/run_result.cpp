#include "domainfusion/evaluation/run_result.h"

#include "domainfusion/core/error.h"
#include "domainfusion/io/json_lines.h"
#include "domainfusion/training/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

void read_description(const json& description, RunResult& result) {
  try {
    const json& config = description.at("config");
    result.algorithm = config.at("algorithm");
    result.test_domain = config.at("test_domain");
    result.seed = config.at("seed");
    result.trial_seed = config.at("trial_seed");
    result.class_names = description.at("classes").get<std::vector<std::string>>();
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("'{}': {}", (result.path / "run.json").string(), error.what()));
  }
}

void add_validation(ValidationRecord record, RunResult& result) {
  if (record.model.empty()) {
    result.validations.push_back(std::move(record));
  } else {
    result.average_validation = std::move(record);
  }
}

void add_test(TestRecord record, RunResult& result) {
  (record.model.empty() ? result.test : result.average_test) = std::move(record);
}

}  // namespace

RunResult read_run(const std::filesystem::path& run) {
  RunResult result;
  result.path = run;
  read_description(read_run_description(run), result);
  const auto file = run / "records.jsonl";
  if (!std::filesystem::exists(file)) return result;
  with_context(fmt::format("'{}'", file.string()), [&] {
    for (const json& line : read_json_lines(file)) {
      const std::string type = line.is_object() ? line.value("type", "") : "";
      if (type == "validation") add_validation(validation_record(line), result);
      if (type == "guard") result.guard = guard_record(line);
      if (type == "test") add_test(test_record(line), result);
    }
  });
  return result;
}

const ValidationRecord* select_by_source_validation(std::span<const ValidationRecord> validations) {
  const ValidationRecord* best = nullptr;
  for (const ValidationRecord& record : validations) {
    if (!best || record.mean_accuracy > best->mean_accuracy) best = &record;
  }
  return best;
}

const RunResult* select_run(std::span<const RunResult> runs) {
  const RunResult* best = nullptr;
  double best_accuracy = -1;
  for (const RunResult& run : runs) {
    const ValidationRecord* selected = select_by_source_validation(run.validations);
    if (!selected || selected->mean_accuracy < best_accuracy) continue;
    best = &run;
    best_accuracy = selected->mean_accuracy;
  }
  return best;
}

}  // namespace domainfusion
