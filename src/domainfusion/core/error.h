#pragma once
// The project's exceptions, by who can fix them, and check(), which throws them.

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace domainfusion {

// Process exit codes of the command line; work that a signal stopped and that can be continued ends with 128 + its
// number.
enum class ExitCode { kGood = 0, kFailure = 1, kConfig = 2, kInput = 3, kDistributed = 4 };

// Base of all errors. what() names the subject, the actual value, what was expected, and the remedy; context lines that
// were added on the way up (file, dataset, command) stand before it, outermost first, separated by ": ".
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message) : std::runtime_error(message), message_(message) {}
  const char* what() const noexcept override { return message_.c_str(); }
  // A message that begins with its subject, a path say, is not given it once more.
  void add_context(std::string_view context);
  virtual ExitCode exit_code() const noexcept { return ExitCode::kFailure; }

 private:
  std::string message_;
};

// A wrong option, config key or combination: the user's command has to change.
class ConfigError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kConfig; }
};
// A file that cannot be found, read or written: the system has to change.
class IoError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kInput; }
};
// A file whose content is broken or not of the expected kind: the file has to change.
class FormatError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kInput; }
};
// Tensors or weights of unexpected shapes: the input or the configuration has to change.
class ShapeError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kInput; }
};
// A device that is missing or failed.
class DeviceError : public Error {
 public:
  using Error::Error;
};
// Ranks that disagree or cannot reach each other.
class DistributedError : public Error {
 public:
  using Error::Error;
  ExitCode exit_code() const noexcept override { return ExitCode::kDistributed; }
};

// Throws ErrorType with the formatted message unless `condition` holds.
template <class ErrorType = Error, class... Args>
void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) [[unlikely]] {
    throw ErrorType(fmt::format(format, std::forward<Args>(args)...));
  }
}

// Runs `action`; an Error that leaves it carries `context` in front of its message.
template <class Action>
auto with_context(std::string_view context, Action&& action) -> decltype(action()) {
  try {
    return action();
  } catch (Error& error) {
    error.add_context(context);
    throw;
  }
}

}  // namespace domainfusion
