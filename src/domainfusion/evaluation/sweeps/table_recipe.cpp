#include "domainfusion/evaluation/sweeps/table_recipe.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "domainfusion/config/config_file.h"
#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

using nlohmann::json;

bool is_folder_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '-' || c == '.' || c == '+';
  });
}

std::string taken_text(json& options, const char* key) {
  if (!options.contains(key)) return {};
  check<ConfigError>(options[key].is_string(), "'{}' is a text", key);
  std::string text = options[key];
  options.erase(key);
  return text;
}

TableSystem system_of(const json& shared, json own) {
  check<ConfigError>(own.is_object(), "a system is a table: [[systems]]");
  TableSystem system;
  system.name = taken_text(own, "name");
  check<ConfigError>(is_folder_name(system.name),
                     "name = \"{}\": every system has a name, of letters, digits, '_', '-', '+' and '.', that its "
                     "folder gets",
                     system.name);
  system.group = taken_text(own, "group");
  system.options = shared;
  system.options.merge_patch(own);
  return system;
}

}  // namespace

std::optional<std::vector<TableSystem>> read_table_recipe(const std::filesystem::path& recipe) {
  json table = read_recipe(recipe);
  if (!table.contains(kSystemsOfTable)) return std::nullopt;
  return with_context(fmt::format("recipe '{}'", recipe.string()), [&] {
    const json list = table[kSystemsOfTable];
    table.erase(kSystemsOfTable);
    check<ConfigError>(list.is_array() && !list.empty(), "'{}' is a list of tables: [[{}]]", kSystemsOfTable,
                       kSystemsOfTable);
    std::vector<TableSystem> systems;
    std::set<std::string> names;
    for (const json& own : list) {
      systems.push_back(system_of(table, own));
      check<ConfigError>(names.insert(systems.back().name).second, "two systems are called '{}'", systems.back().name);
    }
    return systems;
  });
}

}  // namespace domainfusion
