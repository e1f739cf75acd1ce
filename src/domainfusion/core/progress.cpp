#include "domainfusion/core/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "domainfusion/core/log.h"
#include "domainfusion/core/quiet.h"

namespace domainfusion {
namespace {

constexpr double kTerminalInterval_seconds = 0.1;
constexpr double kPlainInterval_seconds = 20;
constexpr int kBarWidth = 24;

}  // namespace

std::string format_seconds(double seconds) {
  if (seconds < 10) return fmt::format("{:.1f}s", seconds);
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  return fmt::format("{}h{:02}m", whole / 3600, whole % 3600 / 60);
}

Progress::Progress(std::string title, std::int64_t total, std::string unit, double unit_per_step, std::int64_t done)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      total_(total),
      done_(done),
      first_(done),
      unit_per_step_(unit_per_step),
      terminal_(!is_quiet() && isatty(STDERR_FILENO) == 1),
      start_(Clock::now()),
      last_print_(start_) {}

Progress::~Progress() {
  if (!finished_ && terminal_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, std::string_view note) {
  done_ = done;
  const std::chrono::duration<double> since = Clock::now() - last_print_;
  if (finished_ || since.count() < (terminal_ ? kTerminalInterval_seconds : kPlainInterval_seconds)) return;
  print(note, false);
}

void Progress::finish(std::string_view note) {
  if (finished_) return;
  print(note, true);
  finished_ = true;
}

void Progress::print(std::string_view note, bool last) {
  last_print_ = Clock::now();
  const double elapsed = std::chrono::duration<double>(last_print_ - start_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done_ - first_) / elapsed : 0;
  const std::string left = last ? fmt::format("took {}", format_seconds(elapsed))
                           : rate > 0
                               ? fmt::format("{} left", format_seconds(static_cast<double>(total_ - done_) / rate))
                               : "";
  std::string text =
      fmt::format("{} {}/{}  {:.1f} {}/s  {}", title_, done_, total_, rate * unit_per_step_, unit_, left);
  if (!note.empty()) text += fmt::format("  {}", note);
  if (!terminal_) {
    log_line(text);
    return;
  }
  const auto filled =
      total_ > 0 ? static_cast<int>(kBarWidth * std::min<std::int64_t>(done_, total_) / total_) : kBarWidth;
  // A terminal that goes away ends no training.
  const std::string line =
      fmt::format("\r\x1b[K[{:#<{}}{:.<{}}] {}{}", "", filled, "", kBarWidth - filled, text, last ? "\n" : "");
  std::fputs(line.c_str(), stderr);
  std::fflush(stderr);
}

}  // namespace domainfusion
