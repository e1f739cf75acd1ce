#include "domainfusion/config/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <fstream>
#include <optional>
#include <sstream>

#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

json to_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json object = json::object();
    for (const auto& [key, value] : *table) object[std::string(key.str())] = to_json(value);
    return object;
  }
  if (const auto* array = node.as_array()) {
    json list = json::array();
    for (const auto& value : *array) list.push_back(to_json(value));
    return list;
  }
  if (const auto value = node.value_exact<std::string>()) return *value;
  if (const auto value = node.value_exact<std::int64_t>()) return *value;
  if (const auto value = node.value_exact<double>()) return *value;
  if (const auto value = node.value_exact<bool>()) return *value;
  throw ConfigError("dates and times are not config values");
}

// "v" -> what `text` is in TOML; nothing where it is no value, or more than one.
std::optional<toml::table> toml_value(std::string_view text) {
  try {
    toml::table table = toml::parse(fmt::format("v = {}", text));
    if (table.size() == 1) return table;
  } catch (const toml::parse_error&) {
  }
  return std::nullopt;
}

void flatten(const json& tree, const std::string& prefix, std::vector<std::pair<std::string, json>>& options) {
  for (const auto& [key, value] : tree.items()) {
    if (value.is_object())
      flatten(value, prefix + key + ".", options);
    else
      options.emplace_back(prefix + key, value);
  }
}

}  // namespace

std::vector<std::pair<std::string, json>> flat_options(const json& tree) {
  std::vector<std::pair<std::string, json>> options;
  flatten(tree, "", options);
  return options;
}

json read_recipe(const std::filesystem::path& path) {
  std::error_code ignored;
  check<IoError>(!std::filesystem::is_directory(path, ignored), "recipe '{}' is a folder: name a TOML file in it",
                 path.string());
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  check<IoError>(file.is_open() && !file.bad() && !text.bad(), "recipe '{}' cannot be read: check the path",
                 path.string());
  toml::table table;
  try {
    table = toml::parse(text.str(), path.string());
  } catch (const toml::parse_error& error) {
    throw FormatError(
        fmt::format("recipe '{}', line {}: {}", path.string(), error.source().begin.line, error.description()));
  }
  return with_context(fmt::format("recipe '{}'", path.string()), [&] { return to_json(table); });
}

void apply_recipe(const ConfigFields& fields, const std::filesystem::path& path) {
  const json table = read_recipe(path);
  with_context(fmt::format("recipe '{}'", path.string()), [&] {
    check<ConfigError>(!table.contains(kSystemsOfTable),
                       "[[{}]]: a recipe of a whole table is for `domainfusion sweep`; name the recipe of one system",
                       kSystemsOfTable);
    ConfigFields target = fields;
    target.from_json(table);
  });
}

void apply_override(const ConfigFields& fields, std::string_view assignment) {
  const auto equals = assignment.find('=');
  check<ConfigError>(equals != std::string_view::npos && equals > 0, "--set {}: expected key=value", assignment);
  const std::string key(assignment.substr(0, equals)), value(assignment.substr(equals + 1));
  const auto& field = fields.at(key);
  if (field.type == "text") return field.set(text_of_override(value));
  const auto parsed = toml_value(value);
  field.set(parsed ? to_json(*parsed->get("v")) : json(value));
}

std::string text_of_override(std::string_view value) {
  const auto parsed = toml_value(value);
  const auto* text = parsed ? parsed->get("v")->as_string() : nullptr;
  return text ? text->get() : std::string(value);
}

std::string describe_fields(const ConfigFields& fields) {
  std::string out;
  for (const auto& field : fields.fields()) {
    out += fmt::format("  {:<36} {}; default {}{}\n{:>39}{}\n", field.key, field.type,
                       field.default_value.is_null() ? "open" : json_text(field.default_value),
                       field.range.empty() ? "" : "; range " + field.range, "", field.help);
  }
  return out;
}

}  // namespace domainfusion
