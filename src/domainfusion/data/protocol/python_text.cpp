#include "domainfusion/data/protocol/python_text.h"

#include <fmt/format.h>

#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

using nlohmann::json;

// Single quotes, unless the text holds some and no double ones.
std::string quoted(const std::string& text) {
  const bool single = text.find('\'') != std::string::npos, both = single && text.find('"') != std::string::npos;
  const char quote = single && !both ? '"' : '\'';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == '\\' || c == quote) out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + quote;
}

std::string float_text(double value) {
  std::string text = fmt::format("{}", value);
  const bool whole = text.find_first_not_of("-0123456789") == std::string::npos;
  return whole ? text + ".0" : text;
}

std::string joined(const json& array) {
  std::vector<std::string> parts;
  for (const json& element : array) parts.push_back(python_repr(element));
  return fmt::format("{}", fmt::join(parts, ", "));
}

}  // namespace

std::string python_repr(const json& value) {
  check<ConfigError>(!value.is_object(), "{}: a seed is made of numbers, texts and lists", json_text(value));
  if (value.is_null()) return "None";
  if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
  if (value.is_string()) return quoted(value.get<std::string>());
  if (value.is_number_float()) return float_text(value.get<double>());
  return value.is_array() ? "[" + joined(value) + "]" : json_text(value);
}

std::string python_tuple(const json& array) { return "(" + joined(array) + (array.size() == 1 ? ",)" : ")"); }

}  // namespace domainfusion
