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

}  // namespace

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
  const json old_values = complete.flatten(), new_values = now.flatten();
  std::set<std::string> pointers;
  for (const json& values : {old_values, new_values}) {
    for (const auto& [pointer, value] : values.items()) pointers.insert(pointer);
  }
  std::vector<std::string> differences;
  for (const std::string& pointer : pointers) {
    if (is_of_one_run(pointer) || !changes_results("/config" + pointer)) continue;
    const json a = old_values.value(pointer, json()), b = new_values.value(pointer, json());
    if (!is_same_value(a, b))
      differences.push_back(fmt::format("{} was {}, is {}", option_name(pointer), json_text(a), json_text(b)));
  }
  return fmt::format("{}", fmt::join(differences, "; "));
}

}  // namespace domainfusion
