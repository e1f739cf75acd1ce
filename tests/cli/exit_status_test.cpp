#include "domainfusion/cli/exit_status.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

template <class Action>
ExitStatus status_after(Action action) {
  try {
    action();
  } catch (...) {
    return exit_status_of(std::current_exception());
  }
  return {ExitCode::kGood, ""};
}

}  // namespace

TEST(ExitStatus, OfForeignExceptionsIsALineThatSaysTheCause) {
  const auto folder = status_after([] { std::filesystem::directory_iterator("/nowhere/at/all"); });
  EXPECT_EQ(folder.code, ExitCode::kInput);
  EXPECT_EQ(folder.message, "'/nowhere/at/all': No such file or directory");
  const auto json = status_after([] { nlohmann::json::array().at("key"); });
  EXPECT_EQ(json.code, ExitCode::kInput);
  EXPECT_EQ(json.message, "a JSON file is not of the expected form: cannot use at() with array");
  const auto memory = status_after([] { throw std::bad_alloc(); });
  EXPECT_EQ(memory.code, ExitCode::kFailure);
  EXPECT_NE(memory.message.find("not enough memory"), std::string::npos);
  const auto torch = status_after([] { throw std::runtime_error("can't allocate memory: 5 bytes\nframe #0: x\n"); });
  EXPECT_EQ(torch.message, "can't allocate memory: 5 bytes; take smaller batches or images, or free memory");
  const auto printing = status_after([] { throw std::system_error(ENOSPC, std::generic_category(), "cannot write"); });
  EXPECT_EQ(printing.code, ExitCode::kInput);
  EXPECT_EQ(status_after([] { throw fmt::format_error("one\ntwo"); }).message, "one");
  EXPECT_EQ(status_after([] { throw 5; }).code, ExitCode::kFailure);
}

TEST(ExitStatus, OfOwnErrorsIsTheirOwn) {
  const auto status = status_after([] { throw ConfigError("two\nlines"); });
  EXPECT_EQ(status.code, ExitCode::kConfig);
  EXPECT_EQ(status.message, "two\nlines");
}

TEST(StandardStreams, ThatWereClosedNeverLeadIntoAFile) {
  const TemporaryFolder place;
  const pid_t child = fork();
  if (child == 0) {
    for (const int stream : {0, 1, 2}) close(stream);
    occupy_standard_streams();
    std::FILE* file = std::fopen((place / "precious").c_str(), "w");
    std::fputs("printed\n", stdout);
    std::fflush(stdout);
    const int code = report({ExitCode::kConfig, "said to nobody"});
    std::fclose(file);
    _exit(fileno(stdout) == 1 ? code : 99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 2);
  EXPECT_EQ(read_file(place / "precious"), "");
}

}  // namespace domainfusion
