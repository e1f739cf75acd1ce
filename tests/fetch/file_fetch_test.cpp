#include "domainfusion/fetch/file_fetch.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "fetch/environment.h"
#include "fetch/local_server.h"
#include "fetch/made_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class FileFetch : public testing::Test {
 protected:
  KnownWeights weights(const std::string& bytes) const {
    KnownWeights made;
    made.name = "resnet";
    made.url = server_.url("models/resnet.pth");
    made.sha256 = sha256_hex(bytes).substr(0, 8);
    made.cache = "torch";
    return made;
  }

  TemporaryFolder folder_;
  const Environment environment_{{{"TORCH_HOME", folder_.path().string()}}};
  const fs::path file_ = folder_ / "hub/checkpoints/resnet.pth";
  const std::string bytes_ = made_bytes(50'000);
  LocalServer server_;
};

}  // namespace

TEST_F(FileFetch, ComesOnceIntoTheCacheOfItsPrograms) {
  server_.put("models/resnet.pth", bytes_);
  server_.cut_after({10'000});
  EXPECT_EQ(fetch_file(weights(bytes_), {}, quick_tries()), file_);
  EXPECT_TRUE(read_file(file_) == bytes_);
  const std::size_t requests = server_.requests().size();
  fetch_file(weights(bytes_), {}, quick_tries());
  EXPECT_EQ(server_.requests().size(), requests);
}

TEST_F(FileFetch, AnotherHashLeavesNothing) {
  server_.put("models/resnet.pth", bytes_);
  const std::string message = message_of<FormatError>([&] { fetch_file(weights("other"), {}, quick_tries()); });
  EXPECT_NE(message.find(sha256_hex(bytes_)), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(file_));
  EXPECT_FALSE(fs::exists(file_.string() + ".part"));
}

TEST_F(FileFetch, MirrorsComeFirstAndMayFail) {
  server_.put("near/resnet.pth", bytes_);
  fetch_file(weights(bytes_), {server_.url("far"), server_.url("near/")}, quick_tries());
  EXPECT_TRUE(read_file(file_) == bytes_);
}

}  // namespace domainfusion
