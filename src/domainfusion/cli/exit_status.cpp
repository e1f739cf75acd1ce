#include "domainfusion/cli/exit_status.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <new>
#include <system_error>

#include "domainfusion/core/json_context.h"

namespace domainfusion {
namespace {

std::string message_of(const std::filesystem::filesystem_error& error) {
  std::string message = error.code().message();
  if (!error.path2().empty()) message = fmt::format("'{}': {}", error.path2().string(), message);
  return error.path1().empty() ? message : fmt::format("'{}': {}", error.path1().string(), message);
}

constexpr const char* kMemoryRemedy = "take smaller batches or images, or free memory";

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

// libtorch's messages carry a backtrace after the first line.
std::string message_of(const std::exception& error) {
  const std::string line = first_line(error.what());
  const bool memory =
      line.find("can't allocate memory") != std::string::npos || line.find("out of memory") != std::string::npos;
  return memory ? fmt::format("{}; {}", line, kMemoryRemedy) : line;
}

}  // namespace

ExitStatus exit_status_of(std::exception_ptr exception) {
  try {
    std::rethrow_exception(std::move(exception));
  } catch (const Error& error) {
    return {error.exit_code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::kInput, message_of(error)};
  } catch (const std::system_error& error) {  // of fmt too, where a text cannot be printed in full
    return {ExitCode::kInput, first_line(error.what())};
  } catch (const nlohmann::json::exception& error) {
    return {ExitCode::kInput,
            fmt::format("a JSON file is not of the expected form: {}", first_line(plain_text(error)))};
  } catch (const std::bad_alloc&) {
    return {ExitCode::kFailure, fmt::format("not enough memory: {}", kMemoryRemedy)};
  } catch (const std::exception& error) {
    return {ExitCode::kFailure, message_of(error)};
  } catch (...) {
    return {ExitCode::kFailure, "ended by an unknown exception"};
  }
}

void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    // Opened the wrong way round, so that it cannot be used.
    if (fcntl(stream, F_GETFD) < 0) static_cast<void>(open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

int report(const ExitStatus& status) noexcept {
  std::fflush(stdout);
  std::fputs("error: ", stderr);
  std::fputs(status.message.c_str(), stderr);
  std::fputs("\n", stderr);
  return static_cast<int>(status.code);
}

}  // namespace domainfusion
