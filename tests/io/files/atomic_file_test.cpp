#include "domainfusion/io/files/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

class AtomicFileTest : public ::testing::Test {
 protected:
  AtomicFileTest() { write_file_atomically(target(), "old"); }
  std::filesystem::path target() const { return folder_ / "file"; }
  std::vector<std::string> partial_files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "")) {
      const std::string name = entry.path().filename().string();
      if (name.find(kPartialFile) != std::string::npos) names.push_back(name);
    }
    return names;
  }
  TemporaryFolder folder_;
};

}  // namespace

TEST_F(AtomicFileTest, TheTargetKeepsItsContentUntilTheCommit) {
  AtomicFile file(target());
  file.write("new ");
  file.write("content");
  EXPECT_EQ(read_file(target()), "old");
  EXPECT_EQ(partial_files().size(), 1u);
  file.commit();
  EXPECT_EQ(read_file(target()), "new content");
  EXPECT_TRUE(partial_files().empty());
}

TEST_F(AtomicFileTest, WithoutACommitNothingIsLeftAndNothingIsLost) {
  {
    AtomicFile file(target());
    file.write("half");
  }
  EXPECT_EQ(read_file(target()), "old");
  EXPECT_TRUE(partial_files().empty());
}

// A limit on the size of files stands for a full disk.
TEST_F(AtomicFileTest, AFailedWriteLeavesTheOldFileAndNoPartialOne) {
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{1024, before.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THROW(write_file_atomically(target(), std::string(1 << 20, 'x')), IoError);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(read_file(target()), "old");
  EXPECT_TRUE(partial_files().empty());
}

}  // namespace domainfusion
