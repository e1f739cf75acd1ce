#include "domainfusion/core/json_text.h"

#include <set>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Python's words for numbers that JSON does not have, replaced by null outside of quotes.
std::string without_python_words(std::string_view text) {
  std::string strict;
  strict.reserve(text.size());
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
  return strict;
}

bool has_python_words(std::string_view text) {
  return text.find("NaN") != std::string_view::npos || text.find("Infinity") != std::string_view::npos;
}

}  // namespace

// nlohmann's own builder knows no limits, and with a callback it walks all siblings at each end.
bool JsonBuilder::null() { return place(nullptr); }
bool JsonBuilder::boolean(bool value) { return place(value); }
bool JsonBuilder::number_integer(number_integer_t value) { return place(value); }
bool JsonBuilder::number_unsigned(number_unsigned_t value) { return place(value); }
bool JsonBuilder::number_float(number_float_t value, const string_t&) { return place(value); }
bool JsonBuilder::string(string_t& value) { return place(std::move(value)); }
bool JsonBuilder::binary(binary_t&) { return false; }  // not in text
bool JsonBuilder::start_object(std::size_t) { return open(json::object()); }
bool JsonBuilder::start_array(std::size_t) { return open(json::array()); }

bool JsonBuilder::key(string_t& value) {
  check<FormatError>(limits_.repeated_keys || !open_.back()->contains(value), "names '{}' twice", value);
  key_ = std::move(value);
  return true;
}

bool JsonBuilder::end_object() {
  open_.pop_back();
  return true;
}

bool JsonBuilder::end_array() { return end_object(); }

bool JsonBuilder::parse_error(std::size_t, const std::string&, const json::exception& error) {
  throw FormatError(fmt::format("is not valid JSON: {}", plain_text(error)));
}

json* JsonBuilder::place(json value) {
  check<FormatError>(++values_ <= limits_.values, "holds more than {} values", limits_.values);
  if (open_.empty()) return &(root_ = std::move(value));
  json& parent = *open_.back();
  if (parent.is_object()) return &(parent[std::exchange(key_, {})] = std::move(value));
  parent.push_back(std::move(value));
  return &parent.back();
}

bool JsonBuilder::open(json value) {
  check<FormatError>(open_.size() < limits_.depth, "nests deeper than {} levels", limits_.depth);
  open_.push_back(place(std::move(value)));
  return true;
}

json parse_json(std::string_view text, const JsonLimits& limits) {
  JsonBuilder builder(limits);
  if (has_python_words(text)) {
    visit_json(without_python_words(text), builder);
  } else {
    visit_json(text, builder);
  }
  return builder.take();
}

std::optional<json> try_parse_json(std::string_view text) {
  try {
    return parse_json(text);
  } catch (const FormatError&) {
    return std::nullopt;
  }
}

void visit_json(std::string_view text, nlohmann::json_sax<json>& handler) { json::sax_parse(text, &handler); }

std::string json_text(const json& value, int indent) { return value.dump(indent); }

std::string json_differences(const json& before, const json& now,
                             const std::function<bool(const std::string& pointer)>& counts) {
  const json old_values = before.flatten(), new_values = now.flatten();
  std::set<std::string> keys;
  for (const auto& [key, value] : old_values.items()) keys.insert(key);
  for (const auto& [key, value] : new_values.items()) keys.insert(key);
  std::string text;
  for (const std::string& key : keys) {
    const json a = old_values.value(key, json()), b = new_values.value(key, json());
    if (a == b || (counts && !counts(key))) continue;
    text += fmt::format("{}{} was {}, is {}", text.empty() ? "" : "; ", key.empty() ? "all" : key.substr(1),
                        json_text(a), json_text(b));
  }
  return text;
}

}  // namespace domainfusion
