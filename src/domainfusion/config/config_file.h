#pragma once
// Recipes (TOML files) and `--set a.b=c` overrides, applied to a config's fields; the help text made from them.

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domainfusion/config/config_fields.h"

namespace domainfusion {

// The list of a recipe for a whole table, each of whose systems has options of its own.
inline constexpr const char* kSystemsOfTable = "systems";

// {"a": {"b": 1}} -> {("a.b", 1)}: the options that from_json() takes as a tree, one by one.
std::vector<std::pair<std::string, nlohmann::json>> flat_options(const nlohmann::json& tree);

// A TOML file as JSON. IoError if it cannot be read, FormatError (with line) if it is not TOML.
nlohmann::json read_recipe(const std::filesystem::path& path);

// Reads a TOML file into `fields`. IoError if it cannot be read, FormatError (with line) if it is not TOML, ConfigError
// for unknown keys or wrong values.
void apply_recipe(const ConfigFields& fields, const std::filesystem::path& path);

// Applies "key=value": the value is TOML (0.5, true, "text", ["a", "b"]); a bare word is taken as text, and so is
// whatever a text option is given without quotes.
void apply_override(const ConfigFields& fields, std::string_view assignment);

// What `value` of "key=value" is to a text option: the text of a TOML string, else `value` as it stands (64,
// 2019-01-01).
std::string text_of_override(std::string_view value);

// One line per field: key, type, default, range, help.
std::string describe_fields(const ConfigFields& fields);

}  // namespace domainfusion
