#include "domainfusion/io/files/file_bytes.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(FileBytes, AFileComesBackAsItIs) {
  const TemporaryFolder folder;
  const std::string bytes("a\0b\n", 4);
  EXPECT_EQ(read_file(folder.write("x", bytes)), bytes);
  EXPECT_EQ(read_file(folder.write("empty", "")), "");
  EXPECT_FALSE(read_file("/proc/self/status").empty());
}

TEST(FileBytes, MissingFilesAndFoldersAreErrorsThatNameThePath) {
  const TemporaryFolder folder;
  const std::string missing = message_of<IoError>([&] { read_file(folder / "missing"); });
  EXPECT_NE(missing.find((folder / "missing").string() + ": cannot be opened: No such file"), std::string::npos);
  EXPECT_NE(message_of<IoError>([&] { read_file(folder.path()); }).find("is a folder"), std::string::npos);
}

}  // namespace domainfusion
