#include "domainfusion/config/config_file.h"

#include <fmt/format.h>
#include <toml++/toml.h>

#include <fstream>
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

}  // namespace

json read_recipe(const std::filesystem::path& path) {
  std::ifstream file(path);
  check<IoError>(file.good(), "recipe '{}' cannot be read: check the path", path.string());
  std::stringstream text;
  text << file.rdbuf();
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
    ConfigFields target = fields;
    target.from_json(table);
  });
}

void apply_override(const ConfigFields& fields, std::string_view assignment) {
  const auto equals = assignment.find('=');
  check<ConfigError>(equals != std::string_view::npos && equals > 0, "--set {}: expected key=value", assignment);
  const std::string key(assignment.substr(0, equals)), value(assignment.substr(equals + 1));
  const auto& field = fields.at(key);
  json parsed;
  try {
    parsed = to_json(*toml::parse("v = " + value).get("v"));
  } catch (const toml::parse_error&) {
    parsed = value;
  }
  // A text option given 64 or true without quotes means the text.
  if (field.type == "text" && !parsed.is_string()) parsed = value;
  field.set(parsed);
}

std::string describe_fields(const ConfigFields& fields) {
  std::string out;
  for (const auto& field : fields.fields()) {
    out += fmt::format("  {:<36} {}; default {}{}\n{:>39}{}\n", field.key, field.type, json_text(field.default_value),
                       field.range.empty() ? "" : "; range " + field.range, "", field.help);
  }
  return out;
}

}  // namespace domainfusion
