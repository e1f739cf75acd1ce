#include "domainfusion/io/files/file_bytes.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/content_hash.h"
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

TEST(FileBytes, NothingIsWaitedForThatIsNoRegularFile) {
  const TemporaryFolder folder;
  const auto pipe = folder / "pipe.jpg";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  for (const std::filesystem::path& path : {pipe, std::filesystem::path("/dev/zero")}) {
    const std::string cause = path.string() + ": is a named pipe, a device or a socket";
    EXPECT_NE(message_of<IoError>([&] { read_file(path); }).find(cause), std::string::npos);
    EXPECT_NE(message_of<IoError>([&] { sha256_hex_of_file(path); }).find(cause), std::string::npos);
  }
}

}  // namespace domainfusion
