#include "domainfusion/report/html/live_report.h"

#include <exception>
#include <utility>

#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/report/html/page.h"
#include "domainfusion/report/html/report_data.h"

namespace domainfusion {

namespace {

constexpr int kReloadSeconds = 20;

}  // namespace

LiveReport::LiveReport(std::filesystem::path run, int total_tests)
    : run_(std::move(run)), tests_left_(total_tests), total_tests_(total_tests) {}

void LiveReport::rewind(std::int64_t) {
  tests_left_ = total_tests_;
  next_ = {};
  write_page(true);
}

void LiveReport::write(const nlohmann::json& record) {
  const std::string type = record.value("type", "");
  if (type == "test" && --tests_left_ <= 0) return write_page(false);
  if (type == "validation" && std::chrono::steady_clock::now() >= next_) write_page(true);
}

void LiveReport::write_page(bool live) {
  if (failed_) return;
  const auto start = std::chrono::steady_clock::now();
  try {
    nlohmann::json data = report_data({.folders = {run_}, .ask_models = false});
    if (live) data["live"] = {{"seconds", kReloadSeconds}};
    write_file_atomically(run_ / "report.html", report_page(data));
  } catch (const std::exception& error) {
    failed_ = true;
    log_warning("the live report is left out from here on: {}", error.what());
  }
  const auto now = std::chrono::steady_clock::now();
  next_ = now + 9 * (now - start);
}

}  // namespace domainfusion
