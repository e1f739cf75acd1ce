#include "domainfusion/core/json_text.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_context.h"

namespace domainfusion {
namespace {

using nlohmann::json;

std::string refusal(const std::string& text, const JsonLimits& limits = {}) {
  try {
    return "accepted: " + json_text(parse_json(text, limits));
  } catch (const FormatError& error) {
    return error.what();
  }
}

std::string nested(int levels) {
  return std::string(static_cast<std::size_t>(levels), '[') + std::string(static_cast<std::size_t>(levels), ']');
}

}  // namespace

TEST(JsonText, ReadsWhatNlohmannReads) {
  for (const char* text :
       {"null", "true", "-3", "18446744073709551615", "2.5e-3", R"("a\u00e4\n\"")", "[]", "{}",
        R"([1, [2, {"b": [3], "a": {"c": null}}], "x", {}])", R"({"a": 1, "b": {"a": [true, false]}, "a": 2})"}) {
    EXPECT_EQ(parse_json(text), json::parse(text)) << text;
    EXPECT_EQ(json_text(parse_json(text)), json::parse(text).dump()) << text;
  }
}

TEST(JsonText, PythonsNumbersThatJsonDoesNotHaveBecomeNull) {
  EXPECT_EQ(parse_json(R"({"a": -Infinity, "b": [NaN, Infinity, -1], "NaN\"": "Infinity"})"),
            json::parse(R"({"a": null, "b": [null, null, -1], "NaN\"": "Infinity"})"));
  EXPECT_NE(refusal("{\"a\": nan}").find("is not valid JSON"), std::string::npos);
}

TEST(JsonText, WhatIsNoJsonIsRefused) {
  for (const char* text : {"", "{", "[1,", "{\"a\"}", "1 2", "{\"a\": 1} x", "\"\xff\"", "[1e999]"}) {
    EXPECT_NE(refusal(text).find("is not valid JSON"), std::string::npos) << text << ": " << refusal(text);
    EXPECT_FALSE(try_parse_json(text)) << text;
  }
}

TEST(JsonText, WhatIsTakenOutOfJsonThatLacksItIsAnErrorThatNamesThePlace) {
  const auto message = [](const json& value) {
    try {
      return with_json_context("'run.json'", [&] { return value.at("seed").get<std::string>(); });
    } catch (const FormatError& error) {
      return std::string(error.what());
    }
  };
  EXPECT_EQ(message({{"seed", "7"}}), "7");
  EXPECT_EQ(message({{"speed", 7}}), "'run.json': key 'seed' not found");
  EXPECT_EQ(message({{"seed", 7}}), "'run.json': type must be string, but is number");
}

TEST(JsonText, DepthValuesAndRepeatedKeysAreBounded) {
  EXPECT_EQ(refusal(nested(64)), "accepted: " + nested(64));
  EXPECT_EQ(refusal(nested(65)), "nests deeper than 64 levels");
  EXPECT_EQ(refusal(nested(400'000)), "nests deeper than 64 levels");
  EXPECT_EQ(refusal("[[],[],{}]", {.values = 4}), "accepted: [[],[],{}]");
  EXPECT_EQ(refusal("[[],[],{}]", {.values = 3}), "holds more than 3 values");
  EXPECT_EQ(refusal(R"({"a": {"b": 1, "b": 2}})", {.repeated_keys = false}), "names 'b' twice");
  EXPECT_EQ(refusal(R"({"a": {"b": 1}, "b": 2})", {.repeated_keys = false}), R"(accepted: {"a":{"b":1},"b":2})");
}

}  // namespace domainfusion
