#include "domainfusion/evaluation/sweeps/slurm_script.h"

#include <fmt/format.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {

std::string shell_quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

namespace {

// A value of an #SBATCH line, in which blanks end a word, '#' begins a comment, and '%' stands for parts of the job's
// name.
std::string sbatch_path(const std::filesystem::path& folder) {
  const std::string text = folder.string();
  check<ConfigError>(
      text.find_first_of("\\\n") == std::string::npos,
      "'{}': Slurm knows no log below a folder with '\\' or a line end in its name; choose another --out", text);
  std::string word;
  for (const char c : text) word += c == '%' ? "%%" : c == '"' || c == '#' ? std::string{'\\', c} : std::string(1, c);
  return word;
}

}  // namespace

std::filesystem::path write_slurm_script(const std::filesystem::path& folder,
                                         const std::vector<std::vector<std::string>>& commands, std::int64_t at_once) {
  std::string lines;
  for (const auto& command : commands) {
    std::vector<std::string> words;
    for (const std::string& word : command) {
      check<ConfigError>(word.find('\n') == std::string::npos, "'{}': a line end cannot stand in a command of a sweep",
                         word);
      words.push_back(shell_quoted(word));
    }
    lines += fmt::format("exec {}\n", fmt::join(words, " "));
  }
  const std::string output = sbatch_path(folder);
  const auto file = folder / fmt::format("commands-{}.txt", sha256_hex(lines).substr(0, 12));
  write_file_atomically(file, lines);
  const auto script = folder / "sweep.sbatch";
  write_file_atomically(script, fmt::format("#!/bin/bash\n"
                                            "#SBATCH --job-name=domainfusion-sweep\n"
                                            "#SBATCH --array=0-{}%{}\n"
                                            "#SBATCH --output=\"{}/logs/slurm-%a.log\"\n"
                                            "#SBATCH --open-mode=append\n"
                                            "#SBATCH --signal=B:TERM@120\n"
                                            "exec bash -c \"$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {})\"\n",
                                            commands.size() - 1, at_once, output, shell_quoted(file.string())));
  return script;
}

}  // namespace domainfusion
