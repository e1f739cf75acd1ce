#pragma once
// Messages to people: stderr, one line each; results go to stdout by the commands themselves.

#include <fmt/format.h>

#include <string_view>

namespace domainfusion {

// "info" lines are dimmed on a terminal, warnings carry "warning:". Both are thread-safe.
void log_line(std::string_view message);
void log_warning_line(std::string_view message);

template <class... Args>
void log_info(fmt::format_string<Args...> format, Args&&... args) {
  log_line(fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void log_warning(fmt::format_string<Args...> format, Args&&... args) {
  log_warning_line(fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace domainfusion
