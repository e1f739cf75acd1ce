#include "domainfusion/evaluation/sweeps/slurm_script.h"

#include <fmt/format.h>

#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {

std::string shell_quoted(const std::string& text) {
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::filesystem::path write_slurm_script(const std::filesystem::path& folder,
                                         const std::vector<std::vector<std::string>>& commands, std::int64_t at_once) {
  std::string lines;
  for (const auto& command : commands) {
    std::vector<std::string> words;
    for (const std::string& word : command) words.push_back(shell_quoted(word));
    lines += fmt::format("exec {}\n", fmt::join(words, " "));
  }
  write_file_atomically(folder / "commands.txt", lines);
  const auto script = folder / "sweep.sbatch";
  write_file_atomically(script, fmt::format("#!/bin/bash\n"
                                            "#SBATCH --job-name=domainfusion-sweep\n"
                                            "#SBATCH --array=0-{}%{}\n"
                                            "#SBATCH --output={}/logs/slurm-%a.log\n"
                                            "#SBATCH --open-mode=append\n"
                                            "#SBATCH --signal=B:TERM@120\n"
                                            "exec bash -c \"$(sed -n \"$((SLURM_ARRAY_TASK_ID + 1))p\" {})\"\n",
                                            commands.size() - 1, at_once, folder.string(),
                                            shell_quoted((folder / "commands.txt").string())));
  return script;
}

}  // namespace domainfusion
