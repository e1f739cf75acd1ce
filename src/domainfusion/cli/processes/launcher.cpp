#include "domainfusion/cli/processes/launcher.h"

#include <cstdlib>
#include <deque>
#include <fstream>
#include <memory>
#include <optional>
#include <thread>

#include "domainfusion/core/error.h"
#include "domainfusion/distributed/local_address.h"
#include "domainfusion/evaluation/sweeps/child_process.h"
#include "domainfusion/io/folders/scratch_folder.h"
#include "domainfusion/training/records/stop_signal.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kLastLines = 12;

std::string last_lines(const fs::path& log) {
  std::ifstream file(log);
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    lines.push_back(line);
    if (lines.size() > kLastLines) lines.pop_front();
  }
  return fmt::format("{}", fmt::join(lines, "\n  "));
}

class Launch {
 public:
  explicit Launch(const LaunchRequest& request) : request_(request), logs_("domainfusion-launch") {}

  void run(const std::function<bool()>& should_stop) {
    start();
    bool stopping = false;
    while (are_running()) {
      if (!stopping && should_stop()) {
        stopping = true;
        end_of_patience_ = Clock::now() + 4 * request_.grace;  // a checkpoint takes its time
        for (Rank& rank : ranks_) rank.process->terminate();
      }
      if (end_of_patience_ && Clock::now() > *end_of_patience_) press();
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    if (stopping) throw Interrupted();
    if (failed_) report();
  }

 private:
  struct Rank {
    std::int64_t number;
    fs::path log;
    std::unique_ptr<ChildProcess> process;
    std::optional<int> code;
  };

  void start() {
    const std::int64_t port = request_.master_port > 0 ? request_.master_port : free_port();
    const auto set = [](const char* name, const auto& value) { ::setenv(name, fmt::format("{}", value).c_str(), 1); };
    ::unsetenv("DOMAINFUSION_ALONE");
    ::unsetenv("TORCHELASTIC_USE_AGENT_STORE");
    set("WORLD_SIZE", request_.ranks * request_.nodes);
    set("LOCAL_WORLD_SIZE", request_.ranks);
    set("MASTER_ADDR", request_.master_address);
    set("MASTER_PORT", port);
    for (std::int64_t local = 0; local < request_.ranks; ++local) {
      const std::int64_t number = request_.node * request_.ranks + local;
      set("RANK", number);
      set("LOCAL_RANK", local);
      const fs::path log = local == 0 ? fs::path() : logs_.path() / fmt::format("rank-{}.log", number);
      ranks_.push_back({number, log, std::make_unique<ChildProcess>(request_.command, log), {}});
    }
  }

  bool are_running() {
    bool running = false;
    for (Rank& rank : ranks_) {
      if (rank.code) continue;
      rank.code = rank.process->exit_code();
      if (!rank.code) {
        running = true;
      } else if (*rank.code != 0) {
        note_failure(rank);
      }
    }
    return running;
  }

  // Ranks that end because another one was lost say so by their code: the cause is the first one that has another.
  void note_failure(const Rank& rank) {
    const bool follows = *rank.code == static_cast<int>(ExitCode::kDistributed);
    if (!failed_ || (failed_follows_ && !follows && !pressed_)) {
      failed_ = &rank;
      failed_follows_ = follows;
    }
    if (!end_of_patience_) end_of_patience_ = Clock::now() + request_.grace;
  }

  // SIGTERM first, then SIGKILL.
  void press() {
    for (Rank& rank : ranks_) {
      if (!rank.code) pressed_ ? rank.process->kill() : rank.process->terminate();
    }
    pressed_ = true;
    end_of_patience_ = Clock::now() + request_.grace;
  }

  [[noreturn]] void report() const {
    const int code = *failed_->code;
    const std::string how =
        code > 128 ? fmt::format("was ended by signal {}", code - 128) : fmt::format("ended with exit code {}", code);
    const std::string lines = failed_->log.empty() ? "" : last_lines(failed_->log);
    const std::string message = fmt::format("rank {} {}{}", failed_->number, how,
                                            lines.empty() ? "" : fmt::format("; its last lines:\n  {}", lines));
    switch (static_cast<ExitCode>(code)) {
      case ExitCode::kConfig:
        throw ConfigError(message);
      case ExitCode::kInput:
        throw IoError(message);
      case ExitCode::kDistributed:
        throw DistributedError(message);
      default:
        throw Error(message);
    }
  }

  const LaunchRequest& request_;
  ScratchFolder logs_;
  std::deque<Rank> ranks_;
  const Rank* failed_ = nullptr;
  bool failed_follows_ = false, pressed_ = false;
  std::optional<Clock::time_point> end_of_patience_;
};

}  // namespace

void launch(const LaunchRequest& request, const std::function<bool()>& should_stop) {
  Launch(request).run(should_stop);
}

}  // namespace domainfusion
