#include "domainfusion/evaluation/tables/run_result.h"

#include <cmath>
#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_lines.h"
#include "domainfusion/training/records/run_folder.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Runs from before there was a "dataset" in run.json say it by domains and classes.
std::string dataset_name(const json& description, const RunResult& result) {
  if (description.contains("dataset")) return description.at("dataset");
  const KnownDataset* known = find_known_dataset(result.domain_names, result.class_names);
  return known ? known->name
               : std::filesystem::path(description.at("config").at("data").at("root").get<std::string>())
                     .filename()
                     .string();
}

void read_description(const json& description, RunResult& result) {
  with_json_context(fmt::format("'{}'", (result.path / "run.json").string()), [&] {
    const json& config = description.at("config");
    result.algorithm = config.at("algorithm");
    if (description.contains("soup")) result.soup = description.at("soup").at("recipe").get<std::string>() + " soup";
    result.test_domain = config.at("test_domain");
    result.seed = config.at("seed");
    result.trial_seed = config.at("trial_seed");
    result.cross_validation_domain = config.value("cross_validation_domain", "");
    result.hparams_seed = config.value("hparams_seed", std::int64_t{0});
    result.hparams = description.value("hparams", json());
    result.config = config;
    result.provenance = description.value("provenance", json());
    result.class_names = description.at("classes").get<std::vector<std::string>>();
    result.domain_names = description.at("domains").get<std::vector<std::string>>();
    result.images = description.at("images").get<std::map<std::string, std::int64_t>>();
    result.dataset = dataset_name(description, result);
  });
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

void read_dsi(RunResult& result) {
  std::set<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(result.path, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name == "dsi.json" || (name.starts_with("dsi-") && name.ends_with(".json"))) files.insert(entry->path());
  }
  check<IoError>(!error, "'{}' cannot be looked into: {}", result.path.string(), error.message());
  for (const auto& file : files) {
    with_context(fmt::format("'{}'", file.string()), [&] {
      const json record = try_parse_json(read_file(file)).value_or(nullptr);
      check<FormatError>(record.is_object() && record.contains("test"),
                         "is no record of DSI; remedy: `domainfusion dsi` anew");
      result.dsi.push_back({test_record(record.at("test")), record});
    });
  }
}

// NaN, which JSON does not have, is null there.
double loss_of(const json& step) {
  const auto loss = step.find("loss");
  if (loss == step.end()) return 0;
  return loss->is_number() ? loss->get<double>() : std::nan("");
}

}  // namespace

bool RunResult::finished() const {
  const json::json_pointer method("/averaging/method");
  const bool averages = config.is_object() && config.value(method, "none") != "none";
  return test.has_value() && (!averages || average_test.has_value());
}

RunResult read_run(const std::filesystem::path& run) {
  RunResult result;
  result.path = run;
  read_description(read_run_description(run), result);
  read_dsi(result);
  const auto file = run / "records.jsonl";
  if (!std::filesystem::exists(file)) return result;
  const std::vector<json> lines = read_json_lines(file);
  with_context(fmt::format("'{}'", file.string()), [&] {
    for (const json& line : lines) {
      const std::string type = line.is_object() && line.contains("type") && line.at("type").is_string()
                                   ? line.at("type").get<std::string>()
                                   : "";
      if (type == "validation") add_validation(validation_record(line), result);
      if (type == "guard") result.guard = guard_record(line);
      if (type == "ldm") result.ldm_of_unknown_origin = !line.value("provenance_recorded", true);
      if (type == "fit") result.fit = fit_record(line);
      if (type == "test") add_test(test_record(line), result);
      if (type == "step") result.step_losses.push_back(loss_of(line));
      if (type == "cross_validation") result.cross_validations.push_back(cross_validation_record(line));
      if (type == "cdga" || type == "fds") result.generated_images += line.at("images").get<std::int64_t>();
      if (line.is_object()) result.generated_images += line.value("generated", std::int64_t{0});
      if (type == "oracle") result.oracles.push_back(oracle_record(line));
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

}  // namespace domainfusion
