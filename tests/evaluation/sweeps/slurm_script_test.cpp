#include "domainfusion/evaluation/sweeps/slurm_script.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

// What task `task` of the script prints.
std::string output_of_task(const std::filesystem::path& script, int task, const TemporaryFolder& place) {
  const auto out = place / "out.txt";
  const std::string line = "SLURM_ARRAY_TASK_ID=" + std::to_string(task) + " bash " + shell_quoted(script.string()) +
                           " >" + shell_quoted(out.string());
  EXPECT_EQ(std::system(line.c_str()), 0);
  return read_file(out);
}

}  // namespace

TEST(SlurmScript, SurvivesFoldersAndWordsWithBlanksQuotesAndPercents) {
  const TemporaryFolder place;
  const auto folder = place / "50% odd's \"sweep\" #1";
  std::filesystem::create_directories(folder);
  const auto script = write_slurm_script(folder, {{"/bin/echo", "first"}, {"/bin/echo", "it's", "a \"$HOME\" 5%"}}, 3);
  EXPECT_EQ(output_of_task(script, 0, place), "first\n");
  EXPECT_EQ(output_of_task(script, 1, place), "it's a \"$HOME\" 5%\n");
  const std::string text = read_file(script);
  EXPECT_NE(text.find("#SBATCH --array=0-1%3\n"), std::string::npos) << text;
  // One quoted word for sbatch, in which "%%" is a percent sign.
  EXPECT_NE(
      text.find("#SBATCH --output=\"" + place.path().string() + "/50%% odd's \\\"sweep\\\" \\#1/logs/slurm-%a.log\"\n"),
      std::string::npos)
      << text;
}

TEST(SlurmScript, TasksThatWaitKeepTheirCommandsWhenTheSweepIsExtended) {
  const TemporaryFolder place;
  const auto script = write_slurm_script(place.path(), {{"/bin/echo", "a"}, {"/bin/echo", "b"}}, 1);
  const auto handed_in = place.write("spool/script", read_file(script));  // Slurm keeps a copy of what was submitted
  write_slurm_script(place.path(), {{"/bin/echo", "new"}, {"/bin/echo", "a"}, {"/bin/echo", "b"}}, 1);
  EXPECT_EQ(output_of_task(handed_in, 1, place), "b\n");
  EXPECT_EQ(output_of_task(script, 1, place), "a\n");
}

TEST(SlurmScript, WhatSlurmCannotNameIsRefused) {
  const TemporaryFolder place;
  EXPECT_THROW(write_slurm_script(place.path(), {{"/bin/echo", "two\nlines"}}, 1), ConfigError);
  std::filesystem::create_directory(place / "back\\slash");
  EXPECT_THROW(write_slurm_script(place / "back\\slash", {{"/bin/echo"}}, 1), ConfigError);
}

}  // namespace domainfusion
