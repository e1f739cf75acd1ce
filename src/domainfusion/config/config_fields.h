#pragma once
// One description per config struct, from which parsing, overrides, range checks, help and the JSON echo all come.
//
//   struct DdimConfig {
//     std::int64_t steps = 20;
//     void describe(ConfigFields& fields) { fields.integer("steps", steps, {1, 1000}, "denoising steps"); }
//   };

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "domainfusion/core/error.h"

namespace domainfusion {

struct IntegerRange {
  std::int64_t low = std::numeric_limits<std::int64_t>::min();
  std::int64_t high = std::numeric_limits<std::int64_t>::max();
};
// Closed range.
struct RealRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

enum class AutoSwitch { kAuto, kOn, kOff };

class ConfigFields {
 public:
  struct Field {
    std::string key;    // dotted: "distillation.encoder"
    std::string type;   // "integer", "real", "boolean", "text", "list of text", "list of integers", "a | b | c"
    std::string range;  // "1 … 1000", or empty
    std::string help;
    nlohmann::json default_value;
    std::function<void(const nlohmann::json&)> set;  // throws ConfigError on a wrong type or range
    std::function<nlohmann::json()> get;
  };

  void boolean(std::string_view name, bool& value, std::string_view help);
  // auto | on | off. `on` and `off` are read as true and false too, and are written so: what was a boolean once stays
  // the same in records.
  void auto_switch(std::string_view name, AutoSwitch& value, std::string_view help);
  void integer(std::string_view name, std::int64_t& value, IntegerRange range, std::string_view help);
  void real(std::string_view name, double& value, RealRange range, std::string_view help);
  void text(std::string_view name, std::string& value, std::string_view help);
  // The same for what is left open unless somebody says it: null in JSON, until the code decides it.
  void integer(std::string_view name, std::optional<std::int64_t>& value, IntegerRange range, std::string_view help);
  void real(std::string_view name, std::optional<double>& value, RealRange range, std::string_view help);
  void text(std::string_view name, std::optional<std::string>& value, std::string_view help);
  // Every element has to lie in `range`.
  void integers(std::string_view name, std::vector<std::int64_t>& value, IntegerRange range, std::string_view help);
  void texts(std::string_view name, std::vector<std::string>& value, std::string_view help);

  // An enumeration: the words stand in the files, the enumerators in the code.
  template <class Enum>
  void choice(std::string_view name, Enum& value, std::vector<std::pair<std::string, Enum>> words,
              std::string_view help) {
    std::vector<std::string> names;
    for (const auto& [word, enumerator] : words) names.push_back(word);
    add_choice(
        name, names, help, [&value, words](std::size_t index) { value = words[index].second; },
        [&value, words]() {
          for (std::size_t i = 0; i < words.size(); ++i) {
            if (words[i].second == value) return i;
          }
          throw Error("an enumerator without a word in its describe()");
        });
  }

  // A nested config struct under `name`.
  template <class Config>
  void group(std::string_view name, Config& config) {
    const std::string outer = prefix_;
    prefix_ += std::string(name) + ".";
    config.describe(*this);
    prefix_ = outer;
  }

  const std::vector<Field>& fields() const { return fields_; }
  // ConfigError when `key` is unknown, that says what where_known() says of it, else names the nearest key.
  const Field& at(std::string_view key) const;
  bool knows(std::string_view key) const;
  // where_known(key): where else an unknown key would be known, as a whole clause; empty: nowhere.
  void explain_unknown(std::function<std::string(std::string_view key)> where_known);

  // Nested JSON object <-> fields. Reading: unknown keys and wrong values are ConfigErrors; absent keys keep their
  // value.
  nlohmann::json to_json() const;
  void from_json(const nlohmann::json& object);

 private:
  void add(std::string_view name, std::string type, std::string range, std::string_view help,
           std::function<void(const nlohmann::json&)> set, std::function<nlohmann::json()> get);
  template <class Value>
  void leave_open(std::optional<Value>& value, std::shared_ptr<Value> checked);
  void add_choice(std::string_view name, std::vector<std::string> words, std::string_view help,
                  std::function<void(std::size_t)> set, std::function<std::size_t()> get);

  std::string prefix_;
  std::vector<Field> fields_;
  std::function<std::string(std::string_view)> where_known_;
};

// The fields of `config`; they refer to it, so it must outlive them.
template <class Config>
ConfigFields fields_of(Config& config) {
  ConfigFields fields;
  config.describe(fields);
  return fields;
}

}  // namespace domainfusion
