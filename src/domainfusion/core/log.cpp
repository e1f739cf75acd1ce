#include "domainfusion/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "domainfusion/core/quiet.h"

namespace domainfusion {
namespace {

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_color_mt("domainfusion");
    made->set_pattern("%v");
    return made;
  }();
  return *instance;
}

thread_local bool quiet = false;

}  // namespace

void be_quiet() { quiet = true; }
bool is_quiet() { return quiet; }

void log_line(std::string_view message) {
  if (!quiet) logger().info(message);
}
void log_warning_line(std::string_view message) { logger().warn("warning: {}", message); }

}  // namespace domainfusion
