#pragma once
// A recipe of a whole table: options that all of its systems share, and each system's own.
//
//   epochs = 60                   # of all
//   [[systems]]
//   name = "swad"                 # its folder below the table's
//   group = "averaging"           # heads the rows that follow one another with the same
//   averaging.method = "swad"     # any option of a run

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace domainfusion {

struct TableSystem {
  std::string name, group;
  nlohmann::json options;  // of the recipe, and the system's own over them
};

// In the recipe's order. Nothing: the recipe has no [[systems]]. What read_recipe() throws; ConfigError for a system
// without a name that can be a folder's, or with one that another has.
std::optional<std::vector<TableSystem>> read_table_recipe(const std::filesystem::path& recipe);

}  // namespace domainfusion
