#pragma once
// A program that runs beside this one.

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace domainfusion {

// Started on construction in a process group of its own (the terminal's Ctrl-C does not reach it), with its output
// appended to a file or, where none is named, to this process's. Where this process ends without a word, the child gets
// SIGTERM. Destruction of a running child sends SIGTERM and waits. SIGCHLD gets its default action, without which the
// system keeps no exit codes.
class ChildProcess {
 public:
  // `command[0]` is a path. IoError if there is no process to be had or `log` cannot be written.
  ChildProcess(const std::vector<std::string>& command, const std::filesystem::path& log);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // nullopt while it runs; then its exit code, 128 + the signal that ended it, or -1 where something else took its
  // code.
  std::optional<int> exit_code();
  void terminate();  // SIGTERM
  void kill();       // SIGKILL
  int wait();        // until it ends; the exit code

 private:
  void look(int options);  // of waitpid()

  pid_t process_ = -1;
  std::optional<int> exit_code_;
};

}  // namespace domainfusion
