#pragma once
// Reads the fields of the config.json files of diffusers and transformers folders, strictly.
//
// A reader is asked for each key that the code honours, with the library's default for an absent key. finish() refuses
// what nobody asked for, so that no field is silently ignored.

#include <cstdint>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace domainfusion {

class ModelConfigReader {
 public:
  // `object` must outlive the reader; `subject` ("unet/config.json") opens the error messages.
  ModelConfigReader(const nlohmann::json& object, std::string subject);

  // Each returns the value of `key`, or `fallback` when it is absent. Throws ConfigError for another type or a value
  // out of range.
  std::int64_t integer(const char* key, std::int64_t fallback, std::int64_t low = 0, std::int64_t high = 1 << 20);
  double real(const char* key, double fallback, double low, double high);
  bool boolean(const char* key, bool fallback);
  std::string text(const char* key, const std::string& fallback);
  std::vector<std::string> texts(const char* key, const std::vector<std::string>& fallback);
  // A number, or a list of numbers; null is `fallback`.
  std::vector<std::int64_t> integers(const char* key, const std::vector<std::int64_t>& fallback, std::int64_t low = 1,
                                     std::int64_t high = 1 << 20);

  // The key may be absent or hold one of `allowed`; anything else is a ConfigError that names it.
  void only(const char* key, std::initializer_list<nlohmann::json> allowed);
  // Keys without influence on what is computed.
  void ignore(std::initializer_list<const char*> keys);
  // ConfigError naming the first key that was never asked for; null values and keys that begin with "_" pass.
  void finish() const;

  [[noreturn]] void refuse(const char* key, std::string_view expected) const;

 private:
  const nlohmann::json* find(const char* key);  // nullptr when absent; marks the key as known

  const nlohmann::json& object_;
  std::string subject_;
  std::set<std::string> known_;
};

// Entry `level` of a list that holds one value for all levels or one for each.
inline std::int64_t at_level(const std::vector<std::int64_t>& values, std::size_t level) {
  return values.size() == 1 ? values[0] : values.at(level);
}
// A list as diffusers writes it: one value as a number.
nlohmann::json number_or_list(const std::vector<std::int64_t>& values);

}  // namespace domainfusion
