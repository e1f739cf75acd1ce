#include "domainfusion/config/model_config.h"

#include <algorithm>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"

namespace domainfusion {

using nlohmann::json;

ModelConfigReader::ModelConfigReader(const json& object, std::string subject)
    : object_(object), subject_(std::move(subject)) {}

const json* ModelConfigReader::find(const char* key) {
  known_.insert(key);
  const auto found = object_.find(key);
  return found == object_.end() ? nullptr : &*found;
}

void ModelConfigReader::refuse(const char* key, std::string_view expected) const {
  throw ConfigError(fmt::format("{}: {} = {} is not supported; expected {}", subject_, key,
                                object_.contains(key) ? json_text(object_[key]) : "(absent)", expected));
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
  for (const json& word : allowed) words += (words.empty() ? "" : " or ") + json_text(word);
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
                    subject_, key, json_text(value)));
  }
}

json number_or_list(const std::vector<std::int64_t>& values) {
  return values.size() == 1 ? json(values[0]) : json(values);
}

}  // namespace domainfusion
