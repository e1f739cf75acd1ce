// Models through the program from a server that behaves as the hub does, and how commands find them.
#include <gtest/gtest.h>

#include "domainfusion/io/files/file_bytes.h"
#include "end_to_end/command_line.h"
#include "fetch/hub_server.h"
#include "tiny_models.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class FetchCommand : public testing::Test {
 protected:
  FetchCommand() {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(kTinySd15)) {
      if (entry.is_regular_file()) files[fs::relative(entry.path(), kTinySd15).string()] = read_file(entry.path());
    }
    server_.publish("owner/tiny", files);
  }
  // The caches lie in the test's folder.
  CommandResult run(const std::string& arguments) const {
    return shell_.run(arguments, "export HF_ENDPOINT=" + server_.endpoint() +
                                     " HF_HOME=$PWD/hf TORCH_HOME=$PWD/torch HF_TOKEN=hf_secret; unset HF_HUB_CACHE;");
  }

  CommandLine shell_;
  HubServer server_;
};

}  // namespace

TEST_F(FetchCommand, AModelOfTheHubIsFetchedAndFoundByItsName) {
  const std::string generate = "generate --ldm hf:owner/tiny --images set/photo --out out --prompt a --steps 2";
  shell_.make_set();
  const CommandResult before = run(generate);
  EXPECT_EQ(before.exit_code, 3);
  EXPECT_NE(before.err.find("`domainfusion fetch hf:owner/tiny` downloads it"), std::string::npos) << before.err;
  EXPECT_TRUE(server_.hub.requests().empty());

  const CommandResult fetched = run("fetch hf:owner/tiny");
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_NE(fetched.out.find("`--ldm hf:owner/tiny` finds it"), std::string::npos) << fetched.out;
  EXPECT_EQ((fetched.out + fetched.err).find("hf_secret"), std::string::npos);
  const std::size_t requests = server_.hub.requests().size();
  const CommandResult made = run(generate);
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(run("inspect weights hf:owner/tiny").out.find("U-Net of diffusers"), std::string::npos);
  EXPECT_EQ(server_.hub.requests().size(), requests);
}

TEST_F(FetchCommand, AMirrorIsTriedFirstAndGetsNoToken) {
  HubServer mirror;
  mirror.publish("owner/other", {{"config.json", "{}"}, {"model.safetensors", std::string(3'000, 'x')}});
  const CommandResult fetched = run("fetch hf:owner/other --mirror " + mirror.endpoint() + "/");
  EXPECT_EQ(fetched.exit_code, 0) << fetched.err;
  EXPECT_TRUE(mirror.hub.authorizations().empty());
  EXPECT_TRUE(server_.hub.requests().empty());
  EXPECT_EQ(run("fetch hf:owner/tiny --mirror " + mirror.endpoint()).exit_code, 0);
  EXPECT_FALSE(server_.hub.authorizations().empty());
}

TEST_F(FetchCommand, TheListNamesLicencesAndWhatIsHere) {
  EXPECT_EQ(run("fetch --list").out.find("(fetched)"), std::string::npos);
  fs::create_directories(shell_ / "torch/hub/checkpoints");
  std::ofstream(shell_ / "torch/hub/checkpoints/resnet50-0676ba61.pth") << "weights";
  const std::string list = run("fetch --list").out;
  for (const char* word : {"sd-turbo", "CreativeML Open RAIL-M", "103 MB (fetched)", "classifier.weights"})
    EXPECT_NE(list.find(word), std::string::npos) << word;
}

TEST_F(FetchCommand, WhatCannotBeFetchedIsAnError) {
  const auto expect_error = [&](const std::string& arguments, int exit_code, const std::string& reason) {
    const CommandResult result = run("fetch " + arguments);
    EXPECT_EQ(result.exit_code, exit_code) << result.err;
    EXPECT_NE(result.err.find(reason), std::string::npos) << result.err;
  };
  expect_error("", 2, "--list");
  expect_error("sdturbo", 2, "did you mean 'sd-turbo'?");
  expect_error("hf:../x", 2, "hf:OWNER/NAME");
  expect_error("resnet50 --variant fp16", 2, "is one file");
  expect_error("hf:owner/absent", 3, "no such model");
  const CommandResult offline = shell_.run("fetch hf:owner/tiny", "export HF_HUB_OFFLINE=1;");
  EXPECT_EQ(offline.exit_code, 2) << offline.err;
}

}  // namespace domainfusion
