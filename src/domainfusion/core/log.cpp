#include "domainfusion/core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

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

}  // namespace

void log_line(std::string_view message) { logger().info(message); }
void log_warning_line(std::string_view message) { logger().warn("warning: {}", message); }

}  // namespace domainfusion
