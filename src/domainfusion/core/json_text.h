#pragma once
// JSON from text and to text. Everything goes through here: what a text may ask for is bounded, and nlohmann's parser
// and serializer, which cost each file that names them seconds of compiling, are compiled once.

#include <cstddef>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace domainfusion {

struct JsonLimits {
  std::size_t depth = 64;          // lists and objects within each other
  std::size_t values = 5'000'000;  // of all kinds, lists and objects included
  bool repeated_keys = true;       // whether a key may stand twice in an object; the last value counts
};

// JSON, or what Python's json module writes beyond it: NaN and (-)Infinity become null. Takes time and memory in
// proportion to the text. Throws FormatError, which says what is wrong and where; its message reads on from a subject
// ("'run.json': is not valid JSON …").
nlohmann::json parse_json(std::string_view text, const JsonLimits& limits = {});

// The same; nothing where it would throw.
std::optional<nlohmann::json> try_parse_json(std::string_view text);

// Hands strict JSON to `handler`, value by value, for texts that are too large for a tree. Throws what the handler
// throws (JsonBuilder's parse_error: FormatError).
void visit_json(std::string_view text, nlohmann::json_sax<nlohmann::json>& handler);

// Makes one value of the events of visit_json, within limits. Throws FormatError beyond them and for text that is no
// JSON.
class JsonBuilder : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit JsonBuilder(const JsonLimits& limits) : limits_(limits) {}
  nlohmann::json take() { return std::move(root_); }

  bool null() override;
  bool boolean(bool value) override;
  bool number_integer(number_integer_t value) override;
  bool number_unsigned(number_unsigned_t value) override;
  bool number_float(number_float_t value, const string_t& text) override;
  bool string(string_t& value) override;
  bool binary(binary_t& value) override;
  bool start_object(std::size_t size) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(std::size_t size) override;
  bool end_array() override;
  [[noreturn]] bool parse_error(std::size_t place, const std::string& token,
                                const nlohmann::json::exception& error) override;

 private:
  nlohmann::json* place(nlohmann::json value);
  bool open(nlohmann::json value);

  JsonLimits limits_;
  nlohmann::json root_;
  std::vector<nlohmann::json*> open_;  // from the outermost in; a list grows at its end alone, behind what is open
  std::string key_;
  std::size_t values_ = 0;
};

// On one line, or with `indent` blanks a level. Throws nlohmann::json::type_error for text that is not UTF-8.
std::string json_text(const nlohmann::json& value, int indent = -1);

// "optimizer/lr was 0.1, is 0.2; …" for every number, text and so on that differs and whose JSON pointer
// ("/optimizer/lr") `counts`, where one is given; what one side lacks is null. Empty: none does.
std::string json_differences(const nlohmann::json& before, const nlohmann::json& now,
                             const std::function<bool(const std::string& pointer)>& counts = {});

}  // namespace domainfusion
