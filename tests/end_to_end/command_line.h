#pragma once
// Runs the real program on a small generated set.

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "domainfusion/core/random/random.h"
#include "domainfusion/io/images/image.h"
#include "temporary_folder.h"

namespace domainfusion {

struct CommandResult {
  int exit_code = -1;
  std::string out, err;
};

// An empty folder for one test, in which commands run; removed at the end.
class CommandLine {
 public:
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }

  // `arguments` are shell words; `before` is shell text in front of the program ("ulimit -f 8;").
  CommandResult run(const std::string& arguments, const std::string& before = "") const {
    const std::string line = "cd '" + folder_.path().string() + "' && { " + before +
                             " '" DOMAINFUSION_BINARY "' --threads 1 " + arguments + "; } >stdout.txt 2>stderr.txt";
    const int status = std::system(line.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text(folder_ / "stdout.txt"), text(folder_ / "stderr.txt")};
  }

  // Starts the program, kills it once `file` exists, and returns whether the kill came before the end.
  bool kill_when_exists(const std::string& arguments, const std::string& file, int signal) const {
    return kill_when(
               arguments, [&] { return std::filesystem::exists(folder_ / file); }, signal)
        .has_value();
  }

  // Starts the program, kills it once `moment` returns true, and returns what waitpid says; nothing if the end came
  // first.
  template <class Moment>
  std::optional<int> kill_when(const std::string& arguments, Moment moment, int signal) const {
    const std::string line = "cd '" + folder_.path().string() + "' && exec '" DOMAINFUSION_BINARY "' --threads 1 " +
                             arguments + " >/dev/null 2>&1";
    const pid_t child = fork();
    if (child == 0) {
      execl("/bin/sh", "sh", "-c", line.c_str(), static_cast<char*>(nullptr));
      _exit(127);
    }
    int status = 0;
    while (!moment()) {
      if (waitpid(child, &status, WNOHANG) == child) return std::nullopt;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    kill(child, signal);
    waitpid(child, &status, 0);
    return status;
  }

  // The options of a run of a few steps with a tiny network on the set in `data`.
  static std::string tiny_run(const std::string& more = "", const std::string& data = "set") {
    return "train --data " + data +
           " --test-domain sketch --set loader.image_size_px=16 --set loader.batch_size=4 --set classifier.stem=small "
           "--set classifier.width=4 --set steps=8 --set checkpoint_frequency=4 --set optimizer.lr=0.003 --set "
           "device=cpu " +
           more;
  }

  // "<name>/<domain>/<class>/<i>.png": three domains, two classes, ten images each.
  void make_set(const std::string& name = "set") const {
    std::uint64_t number = 0;
    for (const char* domain : {"cartoon", "photo", "sketch"}) {
      for (const char* kind : {"cat", "dog"}) {
        const auto folder = folder_ / name / domain / kind;
        std::filesystem::create_directories(folder);
        for (int i = 0; i < 10; ++i) write_png(folder / (std::to_string(i) + ".png"), picture(kind, ++number));
      }
    }
  }

  static std::string text(const std::filesystem::path& path) {
    std::stringstream all;
    all << std::ifstream(path, std::ios::binary).rdbuf();
    return all.str();
  }

 private:
  static Image picture(const std::string& kind, std::uint64_t number) {
    RandomStream noise(5, "picture", {number});
    Image image{20, 20, {}};
    for (int i = 0; i < 400; ++i) {
      const bool lit = (kind == "cat" ? i / 20 : i % 20) / 5 % 2 == 0;
      for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>((lit ? 150 : 30) + noise.below(60)));
    }
    return image;
  }

  TemporaryFolder folder_;
};

}  // namespace domainfusion
