#include "domainfusion/evaluation/sweeps/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "domainfusion/core/error.h"

namespace domainfusion {
namespace {

int open_log(const std::filesystem::path& path) {
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0666);
  check<IoError>(file >= 0, "log '{}' cannot be written: {}", path.string(), std::strerror(errno));
  return file;
}

// In the child, between fork and exec: system calls alone.
[[noreturn]] void become(char* const* arguments, int log, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // it died before the line above
  signal(SIGINT, SIG_DFL);
  signal(SIGTERM, SIG_DFL);
  const int nothing = open("/dev/null", O_RDONLY);
  if (nothing >= 0) dup2(nothing, STDIN_FILENO);
  if (log >= 0) {
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
  }
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& command, const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const int file = log.empty() ? -1 : open_log(log);
  signal(SIGCHLD, SIG_DFL);  // some launchers leave it ignored
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) become(arguments.data(), file, parent);
  if (file >= 0) close(file);
  check<IoError>(process_ > 0, "no process for '{}': {}", command.front(), std::strerror(errno));
}

ChildProcess::~ChildProcess() {
  if (exit_code_) return;
  terminate();
  wait();
}

void ChildProcess::look(int options) {
  int status = 0;
  const pid_t ended = waitpid(process_, &status, options);
  if (ended == process_) exit_code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  if (ended < 0 && errno == ECHILD) exit_code_ = -1;
}

std::optional<int> ChildProcess::exit_code() {
  if (!exit_code_) look(WNOHANG);
  return exit_code_;
}

void ChildProcess::terminate() {
  if (!exit_code_) ::kill(process_, SIGTERM);
}

void ChildProcess::kill() {
  if (!exit_code_) ::kill(process_, SIGKILL);
}

int ChildProcess::wait() {
  while (!exit_code_) look(0);
  return *exit_code_;
}

}  // namespace domainfusion
