#include "domainfusion/io/files/json_lines.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(JsonLines, LinesAreInTheFileAtOnceAndComeBackInOrder) {
  const TemporaryFolder folder;
  JsonLinesWriter writer(folder / "a.jsonl");
  writer.write({{"step", 1}});
  writer.write({{"step", 2}, {"text", "two\nlines"}});
  const auto values = read_json_lines(folder / "a.jsonl");
  ASSERT_EQ(values.size(), 2u);
  EXPECT_EQ(values[1]["text"], "two\nlines");
}

TEST(JsonLines, ATornLastLineIsLeftOutAndCutOffWhenContinued) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", "{\"step\":1}\n{\"st");
  EXPECT_EQ(read_json_lines(path).size(), 1u);
  JsonLinesWriter(path).write({{"step", 2}});
  EXPECT_EQ(read_file(path), "{\"step\":1}\n{\"step\":2}\n");
  const auto torn = folder.write("torn.jsonl", std::string(10000, 'x'));
  JsonLinesWriter(torn).write(1);
  EXPECT_EQ(read_file(torn), "1\n");
}

TEST(JsonLines, ABrokenLineIsAnErrorThatNamesItsNumber) {
  const TemporaryFolder folder;
  const auto path = folder.write("a.jsonl", "{}\n{oops}\n{}\n");
  const std::string message = message_of<FormatError>([&] { read_json_lines(path); });
  EXPECT_NE(message.find(path.string() + ": line 2: is not valid JSON"), std::string::npos) << message;
}

TEST(JsonLines, AreForWhomTheUserLetsWrite) {
  const TemporaryFolder folder;
  const mode_t before = ::umask(0002);
  JsonLinesWriter writer(folder / "a.jsonl");
  ::umask(before);
  const auto shared = std::filesystem::perms(0664);
  EXPECT_EQ(std::filesystem::status(folder / "a.jsonl").permissions(), shared);
}

TEST(JsonLines, AFullDiskIsAnErrorAndLeavesWholeLinesOnly) {
  const TemporaryFolder folder;
  EXPECT_NE(message_of<IoError>([] { JsonLinesWriter("/dev/full").write(1); }).find("/dev/full"), std::string::npos);
  JsonLinesWriter writer(folder / "a.jsonl");
  writer.write("short");
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit tight{100, old.rlim_max};
  setrlimit(RLIMIT_FSIZE, &tight);
  EXPECT_THROW(writer.write(std::string(500, 'x')), IoError);
  setrlimit(RLIMIT_FSIZE, &old);
  writer.write("after");
  EXPECT_EQ(read_file(folder / "a.jsonl"), "\"short\"\n\"after\"\n");
}

TEST(JsonLines, AMissingFolderIsAnErrorThatNamesThePath) {
  const TemporaryFolder folder;
  EXPECT_NE(message_of<IoError>([&] { JsonLinesWriter(folder / "none/a.jsonl"); }).find("none/a.jsonl"),
            std::string::npos);
}

}  // namespace domainfusion
