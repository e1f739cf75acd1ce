#include "domainfusion/config/config_fields.h"

#include <fmt/format.h>

#include <algorithm>

#include "domainfusion/core/json_text.h"
#include "domainfusion/core/nearest_name.h"

namespace domainfusion {

using nlohmann::json;

void ConfigFields::add(std::string_view name, std::string type, std::string range, std::string_view help,
                       std::function<void(const json&)> set, std::function<json()> get) {
  Field field{prefix_ + std::string(name), std::move(type), std::move(range), std::string(help), get(), {}, get};
  field.set = [key = field.key, expected = field.type, set = std::move(set)](const json& value) {
    try {
      set(value);
    } catch (const json::exception&) {
      throw ConfigError(fmt::format("{} = {}: expected {}", key, json_text(value), expected));
    }
  };
  fields_.push_back(std::move(field));
}

void ConfigFields::boolean(std::string_view name, bool& value, std::string_view help) {
  add(
      name, "boolean", "", help, [&value](const json& j) { value = j.get<bool>(); }, [&value] { return json(value); });
}

void ConfigFields::auto_switch(std::string_view name, AutoSwitch& value, std::string_view help) {
  add(
      name, "auto | on | off", "", help,
      [&value, key = prefix_ + std::string(name)](const json& j) {
        const bool is_text = j.is_string();
        check<ConfigError>(j.is_boolean() || (is_text && (j == "auto" || j == "on" || j == "off")),
                           "{} = {}: expected auto, on or off", key, json_text(j));
        value = j == "auto" ? AutoSwitch::kAuto : j == "on" || j == true ? AutoSwitch::kOn : AutoSwitch::kOff;
      },
      [&value] { return value == AutoSwitch::kAuto ? json("auto") : json(value == AutoSwitch::kOn); });
}

namespace {

std::string text_of(const IntegerRange& range) {
  if (range.high != IntegerRange{}.high) return fmt::format("{} … {}", range.low, range.high);
  return range.low != IntegerRange{}.low ? fmt::format(">= {}", range.low) : "";
}

std::int64_t integer_in(const json& value, const IntegerRange& range, const std::string& key) {
  check<ConfigError>(value.is_number_integer(), "{} = {}: expected an integer", key, json_text(value));
  const auto number = value.get<std::int64_t>();
  check<ConfigError>(number >= range.low && number <= range.high, "{} = {}: expected {}", key, number, text_of(range));
  return number;
}

}  // namespace

void ConfigFields::integer(std::string_view name, std::int64_t& value, IntegerRange range, std::string_view help) {
  add(
      name, "integer", text_of(range), help,
      [&value, range, key = prefix_ + std::string(name)](const json& j) { value = integer_in(j, range, key); },
      [&value] { return json(value); });
}

void ConfigFields::integers(std::string_view name, std::vector<std::int64_t>& value, IntegerRange range,
                            std::string_view help) {
  add(
      name, "list of integers", text_of(range), help,
      [&value, range, key = prefix_ + std::string(name)](const json& j) {
        check<ConfigError>(j.is_array(), "{} = {}: expected a list of integers", key, json_text(j));
        std::vector<std::int64_t> numbers;
        for (const json& element : j) numbers.push_back(integer_in(element, range, key));
        value = numbers;
      },
      [&value] { return json(value); });
}

void ConfigFields::real(std::string_view name, double& value, RealRange range, std::string_view help) {
  const std::string text = range.low == RealRange{}.low     ? ""
                           : range.high == RealRange{}.high ? fmt::format(">= {}", range.low)
                                                            : fmt::format("{} … {}", range.low, range.high);
  add(
      name, "real", text, help,
      [&value, range, text, key = prefix_ + std::string(name)](const json& j) {
        check<ConfigError>(j.is_number(), "{} = {}: expected a number", key, json_text(j));
        const auto number = j.get<double>();
        // The negated form also refuses NaN.
        check<ConfigError>(number >= range.low && number <= range.high, "{} = {}: expected {}", key, number, text);
        value = number;
      },
      [&value] { return json(value); });
}

void ConfigFields::text(std::string_view name, std::string& value, std::string_view help) {
  add(
      name, "text", "", help, [&value](const json& j) { value = j.get<std::string>(); },
      [&value] { return json(value); });
}

void ConfigFields::texts(std::string_view name, std::vector<std::string>& value, std::string_view help) {
  add(
      name, "list of text", "", help, [&value](const json& j) { value = j.get<std::vector<std::string>>(); },
      [&value] { return json(value); });
}

// Makes the field that was added last, whose setter fills *checked, one of `value`.
template <class Value>
void ConfigFields::leave_open(std::optional<Value>& value, std::shared_ptr<Value> checked) {
  Field& field = fields_.back();
  field.default_value = value ? json(*value) : json();
  field.set = [&value, checked, set = std::move(field.set)](const json& j) {
    if (j.is_null()) return value.reset();
    set(j);
    value = *checked;
  };
  field.get = [&value] { return value ? json(*value) : json(); };
}

void ConfigFields::integer(std::string_view name, std::optional<std::int64_t>& value, IntegerRange range,
                           std::string_view help) {
  const auto checked = std::make_shared<std::int64_t>();
  integer(name, *checked, range, help);
  leave_open(value, checked);
}

void ConfigFields::real(std::string_view name, std::optional<double>& value, RealRange range, std::string_view help) {
  const auto checked = std::make_shared<double>();
  real(name, *checked, range, help);
  leave_open(value, checked);
}

void ConfigFields::text(std::string_view name, std::optional<std::string>& value, std::string_view help) {
  const auto checked = std::make_shared<std::string>();
  text(name, *checked, help);
  leave_open(value, checked);
}

void ConfigFields::add_choice(std::string_view name, std::vector<std::string> words, std::string_view help,
                              std::function<void(std::size_t)> set, std::function<std::size_t()> get) {
  add(
      name, fmt::format("{}", fmt::join(words, " | ")), "", help,
      [words, set, key = prefix_ + std::string(name)](const json& j) {
        const auto word = j.get<std::string>();
        for (std::size_t i = 0; i < words.size(); ++i) {
          if (words[i] == word) return set(i);
        }
        throw ConfigError(fmt::format("{} = '{}': expected one of {}{}", key, word, fmt::join(words, ", "),
                                      did_you_mean(word, words)));
      },
      [words, get] { return json(words[get()]); });
}

const ConfigFields::Field& ConfigFields::at(std::string_view key) const {
  std::vector<std::string> keys, with_group;
  for (const Field& field : fields_) {
    if (field.key == key) return field;
    keys.push_back(field.key);
    if (field.key.ends_with(fmt::format(".{}", key))) with_group.push_back(field.key);
  }
  const std::string elsewhere = where_known_ ? where_known_(key) : "";
  if (!elsewhere.empty()) throw ConfigError(fmt::format("unknown config key '{}': {}", key, elsewhere));
  // "lr" is rather 'optimizer.lr' than what has as few letters.
  if (!with_group.empty()) {
    throw ConfigError(
        fmt::format("unknown config key '{}' (did you mean '{}'?)", key, fmt::join(with_group, "' or '")));
  }
  throw ConfigError(fmt::format("unknown config key '{}'{}", key, did_you_mean(key, keys)));
}

bool ConfigFields::knows(std::string_view key) const {
  return std::any_of(fields_.begin(), fields_.end(), [key](const Field& field) { return field.key == key; });
}

void ConfigFields::explain_unknown(std::function<std::string(std::string_view key)> where_known) {
  where_known_ = std::move(where_known);
}

json ConfigFields::to_json() const {
  json object = json::object();
  for (const Field& field : fields_) {
    std::string path = "/" + field.key;
    for (char& c : path) {
      if (c == '.') c = '/';
    }
    object[json::json_pointer(path)] = field.get();
  }
  return object;
}

void ConfigFields::from_json(const json& object) {
  const std::function<void(const json&, const std::string&)> read = [&](const json& node, const std::string& prefix) {
    for (const auto& [name, value] : node.items()) {
      const std::string key = prefix.empty() ? name : prefix + "." + name;
      const auto lies_in_it = [&](const Field& field) { return field.key.starts_with(key + "."); };
      if (value.is_object() && (!value.empty() || std::any_of(fields_.begin(), fields_.end(), lies_in_it))) {
        read(value, key);
      } else {
        at(key).set(value);
      }
    }
  };
  read(object, "");
}

}  // namespace domainfusion
