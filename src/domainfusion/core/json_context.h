#pragma once
// Errors of those who take values out of JSON that somebody else wrote.

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "domainfusion/core/error.h"

namespace domainfusion {

// What an exception of nlohmann's says, without its number: "[json.exception.type_error.302] type must be …".
inline std::string plain_text(const nlohmann::json::exception& error) {
  const std::string text = error.what();
  const auto end = text.find("] ");
  return text.starts_with('[') && end != std::string::npos ? text.substr(end + 2) : text;
}

// with_context() in which also what nlohmann throws at a value that is absent or of another kind is an error of ours:
// FormatError "CONTEXT: …".
template <class Action>
auto with_json_context(std::string_view context, Action&& action) -> decltype(action()) {
  return with_context(context, [&] {
    try {
      return action();
    } catch (const nlohmann::json::exception& error) {
      throw FormatError(plain_text(error));
    }
  });
}

}  // namespace domainfusion
