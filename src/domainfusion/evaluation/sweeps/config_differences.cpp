#include "domainfusion/evaluation/sweeps/config_differences.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "domainfusion/core/json_text.h"
#include "domainfusion/training/records/run_folder.h"
#include "domainfusion/training/run/trainer.h"

namespace domainfusion {

using nlohmann::json;

namespace {

// A file may have been moved.
bool is_same_value(const json& a, const json& b) {
  if (a == b || !a.is_string() || !b.is_string()) return a == b;
  const std::filesystem::path file_a = a.get<std::string>(), file_b = b.get<std::string>();
  return (file_a.has_parent_path() || file_b.has_parent_path()) && file_a.filename() == file_b.filename();
}

json value_at(const std::map<std::string, json>& values, const std::string& pointer) {
  const auto found = values.find(pointer);
  return found == values.end() ? json() : found->second;
}

}  // namespace

std::map<std::string, json> option_values(const json& config) {
  std::map<std::string, json> values;
  for (const auto& [name, value] : config.items()) {
    const std::string pointer = "/" + name;
    if (!value.is_object()) values[pointer] = value;
    if (!value.is_object()) continue;
    for (auto& [inner, inner_value] : option_values(value)) values[pointer + inner] = inner_value;
  }
  return values;
}

json with_defaults(const json& config) {
  const json algorithm = config.is_object() ? config.value("algorithm", json()) : json();
  if (!algorithm.is_string() || !algorithms().contains(algorithm.get<std::string>())) return config;
  json complete = make_run_setup({}, {}, {{"algorithm", algorithm}}).fields().to_json();
  complete.merge_patch(config);
  return complete;
}

std::string option_name(std::string pointer) {
  pointer.erase(0, 1);
  std::replace(pointer.begin(), pointer.end(), '/', '.');
  return pointer;
}

bool is_of_one_run(const std::string& pointer) {
  static const std::set<std::string> pointers{
      "/seed", "/trial_seed", "/hparams_seed", "/test_domain", "/cross_validation_domain", "/device"};
  return pointers.contains(pointer);
}

std::string other_options(const json& before, const json& now) {
  json complete = make_run_setup({}, {}, {{"algorithm", now.at("algorithm")}}).fields().to_json();
  complete.merge_patch(before);
  const auto old_values = option_values(complete), new_values = option_values(now);
  std::set<std::string> pointers;
  for (const auto& values : {old_values, new_values}) {
    for (const auto& [pointer, value] : values) pointers.insert(pointer);
  }
  std::vector<std::string> differences;
  for (const std::string& pointer : pointers) {
    if (is_of_one_run(pointer) || !changes_results("/config" + pointer)) continue;
    const json a = value_at(old_values, pointer), b = value_at(new_values, pointer);
    if (!is_same_value(a, b))
      differences.push_back(fmt::format("{} was {}, is {}", option_name(pointer), json_text(a), json_text(b)));
  }
  return fmt::format("{}", fmt::join(differences, "; "));
}

}  // namespace domainfusion
