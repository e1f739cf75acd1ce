#pragma once
// Debian's Python beside the program: what we write is read by the field's own tools, where they are installed.

#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <utility>

namespace domainfusion {

// Whether /usr/bin/python3 can import all of `modules` ("torch,PIL").
inline bool python_has(const std::string& modules) {
  return std::system(("/usr/bin/python3 -c 'import " + modules + "' >/dev/null 2>&1").c_str()) == 0;
}

// Runs a program in `folder`: its exit code and what it printed.
inline std::pair<int, std::string> run_in_python(const std::filesystem::path& folder, const std::string& program) {
  std::ofstream(folder / "program.py") << program;
  const std::string line =
      "cd '" + folder.string() + "' && OMP_NUM_THREADS=1 /usr/bin/python3 program.py >python.txt 2>&1";
  const int status = std::system(line.c_str());
  std::stringstream text;
  text << std::ifstream(folder / "python.txt").rdbuf();
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, text.str()};
}

}  // namespace domainfusion
