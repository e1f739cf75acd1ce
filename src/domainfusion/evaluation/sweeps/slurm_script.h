#pragma once
// An array job for Slurm.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace domainfusion {

// Writes FOLDER/commands-HASH.txt, one command a line, and FOLDER/sweep.sbatch, an array job that runs line i as task
// i, at most `at_once` at a time. A task that reaches its time limit gets SIGTERM two minutes before, writes its
// checkpoint and is continued by submitting again. The commands' file is named by its content, so that tasks of an
// array that waits keep theirs when the sweep is extended. Returns the script's path. ConfigError for what Slurm cannot
// name: a line end in a command, a line end or '\' in `folder`. IoError.
std::filesystem::path write_slurm_script(const std::filesystem::path& folder,
                                         const std::vector<std::vector<std::string>>& commands, std::int64_t at_once);

// A word of a POSIX shell that means `text`.
std::string shell_quoted(const std::string& text);

}  // namespace domainfusion
