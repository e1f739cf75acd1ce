#include "domainfusion/diffusion/model_config.h"

#include <algorithm>
#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/io/file_bytes.h"

namespace domainfusion {

using nlohmann::json;

json parse_python_json(std::string_view text) {
  std::string strict;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size();) {
    const std::string_view rest = text.substr(i);
    std::size_t taken = 1;
    if (quoted) {
      taken = rest[0] == '\\' && rest.size() > 1 ? 2 : 1;
    } else {
      for (const std::string_view word : {"-Infinity", "Infinity", "NaN"}) {
        if (rest.starts_with(word)) taken = word.size();
      }
    }
    if (rest[0] == '"') quoted = !quoted;
    strict += !quoted && taken > 2 ? std::string_view("null") : rest.substr(0, taken);
    i += taken;
  }
  return json::parse(strict);
}

json read_json_object(const std::filesystem::path& path) {
  json object;
  try {
    object = parse_python_json(read_file(path));
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("'{}' is not valid JSON: {}", path.string(), error.what()));
  }
  check<FormatError>(object.is_object(), "'{}' holds no JSON object", path.string());
  return object;
}

ModelConfigReader::ModelConfigReader(const json& object, std::string subject)
    : object_(object), subject_(std::move(subject)) {}

const json* ModelConfigReader::find(const char* key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void ModelConfigReader::refuse(const char* key, std::string_view expected) const {
  throw ConfigError(fmt::format("{}: {} = {} is not supported; expected {}", subject_, key,
                                object_.contains(key) ? object_[key].dump() : "(absent)", expected));
}

std::int64_t ModelConfigReader::integer(const char* key, std::int64_t fallback, std::int64_t low, std::int64_t high) {
  const json* value = find(key);
  if (!value) return fallback;
  const bool good = value->is_number_integer() && *value >= low && *value <= high;
  if (!good) refuse(key, fmt::format("a whole number from {} to {}", low, high));
  return value->get<std::int64_t>();
}

double ModelConfigReader::real(const char* key, double fallback, double low, double high) {
  const json* value = find(key);
  if (!value) return fallback;
  const bool good = value->is_number() && *value >= low && *value <= high;
  if (!good) refuse(key, fmt::format("a number from {} to {}", low, high));
  return value->get<double>();
}

bool ModelConfigReader::boolean(const char* key, bool fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  if (value->is_null()) return false;  // as in Python; diffusers' own converter writes "upcast_attention": null
  if (!value->is_boolean()) refuse(key, "true or false");
  return value->get<bool>();
}

std::string ModelConfigReader::text(const char* key, const std::string& fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  if (!value->is_string()) refuse(key, "text");
  return value->get<std::string>();
}

std::vector<std::string> ModelConfigReader::texts(const char* key, const std::vector<std::string>& fallback) {
  const json* value = find(key);
  if (!value) return fallback;
  const bool good = value->is_array() && !value->empty() &&
                    std::all_of(value->begin(), value->end(), [](const json& v) { return v.is_string(); });
  if (!good) refuse(key, "a list of names");
  return value->get<std::vector<std::string>>();
}

std::vector<std::int64_t> ModelConfigReader::integers(const char* key, const std::vector<std::int64_t>& fallback,
                                                      std::int64_t low, std::int64_t high) {
  const json* value = find(key);
  if (!value || value->is_null()) return fallback;
  const json list = value->is_array() ? *value : json::array({*value});
  const bool good = !list.empty() && list.size() <= 16 && std::all_of(list.begin(), list.end(), [&](const json& v) {
    return v.is_number_integer() && v >= low && v <= high;
  });
  if (!good) refuse(key, fmt::format("whole numbers from {} to {}", low, high));
  return list.get<std::vector<std::int64_t>>();
}

void ModelConfigReader::only(const char* key, std::initializer_list<json> allowed) {
  const json* value = find(key);
  if (!value || std::find(allowed.begin(), allowed.end(), *value) != allowed.end()) return;
  std::string words;
  for (const json& word : allowed) words += (words.empty() ? "" : " or ") + word.dump();
  refuse(key, words);
}

void ModelConfigReader::ignore(std::initializer_list<const char*> keys) {
  for (const char* key : keys) known_.insert(key);
}

void ModelConfigReader::finish() const {
  for (const auto& [key, value] : object_.items()) {
    if (value.is_null() || key.starts_with("_") || known_.contains(key)) continue;
    throw ConfigError(
        fmt::format("{}: field '{}' = {} is not known, so it cannot be honoured; remove it if it has no effect",
                    subject_, key, value.dump()));
  }
}

json number_or_list(const std::vector<std::int64_t>& values) {
  return values.size() == 1 ? json(values[0]) : json(values);
}

}  // namespace domainfusion
