// Models from a server that behaves as the hub does, and from one that does not.
#include "domainfusion/fetch/hub_fetch.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <csignal>
#include <functional>

#include "domainfusion/core/error.h"
#include "domainfusion/fetch/hub.h"
#include "domainfusion/io/files/file_bytes.h"
#include "fetch/environment.h"
#include "fetch/hub_server.h"
#include "fetch/made_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr const char* kToken = "hf_secretOfTheTest";

class HubFetchTest : public testing::Test {
 protected:
  HubFetchTest() {
    server_.publish("owner/model", {{"README.md", "about"},
                                    {"model_index.json", R"({"unet": ["diffusers", "UNet2DConditionModel"]})"},
                                    {"unet/config.json", "{}"},
                                    {"unet/diffusion_pytorch_model.safetensors", weights_},
                                    {"unet/diffusion_pytorch_model.bin", made_bytes(70'000)},
                                    {"unet/diffusion_pytorch_model.fp16.safetensors", half_}});
  }

  HubFetchRequest request() const {
    HubFetchRequest made;
    made.repository = {"owner/model"};
    made.endpoint = server_.endpoint();
    made.cache = folder_ / "hub";
    made.download = quick_tries();
    made.download.range_bytes = 20'000;
    return made;
  }
  fs::path blob(const std::string& bytes) const { return model_ / "blobs" / HubServer::etag_of(bytes); }
  fs::path incomplete(const std::string& bytes) const { return blob(bytes).string() + ".incomplete"; }
  void expect_whole() const {
    EXPECT_EQ(read_file(model_ / "refs/main"), HubServer::kCommit);
    EXPECT_TRUE(read_file(snapshot_ / "unet/diffusion_pytorch_model.safetensors") == weights_);
    for (const auto& entry : fs::directory_iterator(model_ / "blobs"))
      EXPECT_EQ(entry.path().extension(), "") << entry.path();
  }
  void expect_nothing_usable() const {
    EXPECT_FALSE(fs::exists(model_ / "refs/main"));
    EXPECT_FALSE(fs::exists(blob(weights_)));
    EXPECT_FALSE(fs::exists(fs::symlink_status(snapshot_ / "unet/diffusion_pytorch_model.safetensors")));
  }
  std::string refusal(const HubFetchRequest& refused) const {
    const std::string message = message_of<IoError>([&] { fetch_from_hub(refused); });
    EXPECT_EQ(message.find(kToken), std::string::npos) << message;
    return message;
  }
  // Of the requests for the weights' bytes, those of whole files or ranges.
  std::size_t requests_for(const std::string& bytes) {
    const auto all = server_.store.requests();
    return static_cast<std::size_t>(std::count_if(all.begin(), all.end(), [&](const std::string& line) {
      return line.starts_with("GET /" + HubServer::etag_of(bytes));
    }));
  }

  // In a process of its own: its exit code; `meanwhile` runs beside it, with its id.
  static int in_child(const std::function<void()>& action, const std::function<void(pid_t)>& meanwhile = {}) {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        action();
      } catch (const Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        ::_exit(static_cast<int>(error.exit_code()));
      }
      ::_exit(0);
    }
    if (meanwhile) meanwhile(child);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  const std::string weights_ = made_bytes(130'000), half_ = made_bytes(65'000);
  TemporaryFolder folder_;
  const fs::path model_ = folder_ / "hub/models--owner--model", snapshot_ = model_ / "snapshots" / HubServer::kCommit;
  HubServer server_;
};

}  // namespace

TEST_F(HubFetchTest, AModelLiesInTheCacheAsOtherProgramsPutItThere) {
  const HubFetchResult result = fetch_from_hub(request());
  EXPECT_EQ(result.snapshot, snapshot_);
  EXPECT_EQ(result.files, 3u);
  expect_whole();
  EXPECT_EQ(fs::read_symlink(snapshot_ / "unet/diffusion_pytorch_model.safetensors"),
            "../../../blobs/" + sha256_hex(weights_));
  EXPECT_EQ(fs::read_symlink(snapshot_ / "unet/config.json"),
            "../../../blobs/9e26dfeeb6e641a33dae4961196235bdb965b21b");  // git hash-object of "{}"
  EXPECT_EQ(read_file(snapshot_ / "unet/config.json"), "{}");
  for (const char* other : {"README.md", "unet/diffusion_pytorch_model.bin"})
    EXPECT_FALSE(fs::exists(snapshot_ / other));
  EXPECT_FALSE(fs::exists(blob(half_)));
  EXPECT_EQ(find_snapshot(folder_ / "hub", {"owner/model"}), snapshot_);
}

TEST_F(HubFetchTest, WhatIsInTheCacheDoesNotComeAgain) {
  fetch_from_hub(request());
  const std::size_t before = server_.store.requests().size();
  const HubFetchResult again = fetch_from_hub(request());
  EXPECT_EQ(again.brought, 0);
  EXPECT_EQ(server_.store.requests().size(), before);
  HubFetchRequest half = request();
  half.variant = "fp16";
  EXPECT_EQ(fetch_from_hub(half).brought, static_cast<std::int64_t>(half_.size()));
}

TEST_F(HubFetchTest, ARevisionAndSingleFilesCanBeNamed) {
  HubFetchRequest one = request();
  one.repository.revision = HubServer::kCommit;
  one.files = {"README.md"};
  EXPECT_EQ(fetch_from_hub(one).files, 1u);
  EXPECT_EQ(read_file(snapshot_ / "README.md"), "about");
  EXPECT_FALSE(fs::exists(model_ / "refs/main"));
  EXPECT_EQ(find_snapshot(folder_ / "hub", one.repository), snapshot_);
  one.files = {"unet/nothing"};
  EXPECT_NE(message_of<ConfigError>([&] { fetch_from_hub(one); }).find("README.md"), std::string::npos);
}

TEST_F(HubFetchTest, TheTokenGoesToTheHubAlone) {
  HubFetchRequest mine = request();
  mine.download.token = kToken;
  fetch_from_hub(mine);
  expect_whole();
  EXPECT_GT(server_.store.requests().size(), 0u);
  EXPECT_TRUE(server_.store.authorizations().empty());
  EXPECT_EQ(server_.hub.authorizations().size(), server_.hub.requests().size());
  EXPECT_EQ(server_.hub.authorizations().front(), std::string("Bearer ") + kToken);
}

TEST(HubToken, LiesInItsUsualPlaces) {
  const TemporaryFolder folder;
  const Environment environment(
      {{"HF_TOKEN", ""}, {"HF_TOKEN_PATH", ""}, {"HF_HOME", folder.path().string()}, {"HF_ENDPOINT", ""}});
  EXPECT_EQ(hub_token(), "");
  folder.write("token", "hf_file\n");
  EXPECT_EQ(hub_token(), "hf_file");
  ::setenv("HF_TOKEN", " hf_set ", 1);
  EXPECT_EQ(hub_token(), "hf_set");
  ::setenv("HF_TOKEN", "hf_x\r\nEvil: 1", 1);
  const std::string message = message_of<ConfigError>([] { hub_token(); });
  EXPECT_NE(message.find("HF_TOKEN"), std::string::npos);
  EXPECT_EQ(message.find("hf_x"), std::string::npos);
  EXPECT_EQ(hub_endpoint(), "https://huggingface.co");
  ::setenv("HF_ENDPOINT", "https://mirror.example//", 1);
  EXPECT_EQ(hub_endpoint(), "https://mirror.example");
}

TEST_F(HubFetchTest, TransfersThatAreCutContinue) {
  server_.store.cut_after({5'000, 0, 12'000, 1, 0, 19'999});
  fetch_from_hub(request());
  expect_whole();
}

TEST_F(HubFetchTest, AServerWithoutRangesWillDo) {
  server_.store.know_ranges(false);
  server_.store.cut_after({5'000});
  fetch_from_hub(request());
  expect_whole();
}

TEST_F(HubFetchTest, AKilledFetchLeavesNothingUsableAndContinues) {
  server_.store.slow_down(1'000);
  const auto kill_midway = [&](pid_t child) {
    std::error_code none;
    for (int i = 0; i < 3'000; ++i) {
      const auto size = fs::file_size(incomplete(weights_), none);
      if (!none && size >= 40'000) break;
      std::this_thread::sleep_for(5ms);
    }
    ::kill(child, SIGKILL);
  };
  EXPECT_EQ(in_child([&] { fetch_from_hub(request()); }, kill_midway), 128 + SIGKILL);
  expect_nothing_usable();
  const auto kept = fs::file_size(incomplete(weights_));
  EXPECT_GE(kept, 40'000u);
  EXPECT_LT(kept, weights_.size());
  EXPECT_TRUE(read_file(incomplete(weights_)) == weights_.substr(0, kept));
  server_.store.slow_down(0);
  fetch_from_hub(request());
  expect_whole();
  const auto all = server_.store.requests();
  const auto from_the_start = [&](const std::string& line) { return line.find(" from 0 to ") != std::string::npos; };
  EXPECT_EQ(std::count_if(all.begin(), all.end(), from_the_start), 1);
}

TEST_F(HubFetchTest, AFileWithAnotherHashGetsNoName) {
  server_.store.put(sha256_hex(weights_), made_bytes(129'999) + "x");
  const std::string message = message_of<FormatError>([&] { fetch_from_hub(request()); });
  EXPECT_NE(message.find("expected " + sha256_hex(weights_)), std::string::npos) << message;
  expect_nothing_usable();
  EXPECT_FALSE(fs::exists(incomplete(weights_)));
  server_.store.put(sha256_hex(weights_), weights_);
  fs::remove(blob("{}"));
  server_.hub.put(HubServer::file_path("owner/model", "unet/config.json"), "[]",
                  "ETag: \"9e26dfeeb6e641a33dae4961196235bdb965b21b\"\r\n");
  EXPECT_THROW(fetch_from_hub(request()), FormatError);
  EXPECT_FALSE(fs::exists(model_ / "refs/main"));
}

TEST_F(HubFetchTest, WhatAnotherProgramLeftBrokenComesAnew) {
  folder_.write("hub/models--owner--model/blobs/" + sha256_hex(weights_) + ".incomplete", std::string(30'000, 'x'));
  folder_.write("hub/models--owner--model/blobs/" + HubServer::etag_of("{}"), "");  // cut by something else
  fetch_from_hub(request());
  expect_whole();
  EXPECT_EQ(read_file(snapshot_ / "unet/config.json"), "{}");
}

TEST_F(HubFetchTest, AFullDiskIsSaidAndWhatCameIsKept) {
  const auto on_a_full_disk = [&] {
    const rlimit most{50'000, 50'000};
    ::setrlimit(RLIMIT_FSIZE, &most);
    std::signal(SIGXFSZ, SIG_IGN);
    const std::string message = message_of<IoError>([&] { fetch_from_hub(request()); });
    ::_exit(message.find("free space") != std::string::npos ? 0 : 1);
  };
  EXPECT_EQ(in_child(on_a_full_disk), 0);
  expect_nothing_usable();
  EXPECT_GE(fs::file_size(incomplete(weights_)), 40'000u);
  fetch_from_hub(request());
  expect_whole();
}

TEST_F(HubFetchTest, ADiskWithoutRoomIsSeenBefore) {
  server_.hub.redirect(HubServer::file_path("owner/model", "unet/diffusion_pytorch_model.safetensors"),
                       server_.store.url("x"),
                       "X-Linked-Etag: \"" + sha256_hex(weights_) + "\"\r\nX-Linked-Size: 900000000000000\r\n");
  EXPECT_NE(refusal(request()).find("900 TB come"), std::string::npos);
  EXPECT_TRUE(server_.store.requests().empty());
}

TEST_F(HubFetchTest, TwoAtOnceBringEachFileOnce) {
  server_.store.slow_down(2'000);
  std::thread other([&] { fetch_from_hub(request()); });
  fetch_from_hub(request());
  other.join();
  expect_whole();
  EXPECT_EQ(requests_for(weights_), 7u);
}

TEST_F(HubFetchTest, RefusalsSayWhatHelps) {
  const std::string file = HubServer::file_path("owner/model", "unet/config.json");
  HubFetchRequest mine = request();
  mine.download.token = kToken;
  const std::string gated = "X-Error-Code: GatedRepo\r\n";
  server_.hub.refuse(file, {"401 Unauthorized"}, gated);
  EXPECT_NE(refusal(request()).find("accept its terms at " + server_.endpoint() + "/owner/model, and put a token"),
            std::string::npos);
  server_.hub.refuse(file, {"403 Forbidden"}, gated);
  EXPECT_NE(refusal(mine).find("accept the model's terms at"), std::string::npos);
  server_.hub.refuse(HubServer::listing_path("owner/model"), {"401 Unauthorized", "401 Unauthorized"});
  EXPECT_NE(refusal(request()).find("no such model, or a private or gated one"), std::string::npos);
  EXPECT_NE(refusal(mine).find("is not valid"), std::string::npos);
  server_.hub.refuse(HubServer::listing_path("owner/model"), {"404 Not Found"}, "X-Error-Code: RevisionNotFound\r\n");
  EXPECT_NE(refusal(request()).find("no revision 'main'"), std::string::npos);
  server_.hub.refuse(file, {"404 Not Found"});
  EXPECT_NE(refusal(request()).find("no such model or file"), std::string::npos);
  expect_nothing_usable();
}

TEST_F(HubFetchTest, TooManyRequestsWaitAsLongAsTheServerAsks) {
  const std::string listing = HubServer::listing_path("owner/model");
  server_.hub.refuse(listing, {"429 Too Many Requests", "503 Service Unavailable"}, "Retry-After: 1\r\n");
  const auto start = std::chrono::steady_clock::now();
  fetch_from_hub(request());
  EXPECT_GE(std::chrono::steady_clock::now() - start, 2s);
  expect_whole();
  server_.hub.refuse(listing, {"429 Too Many Requests"}, "Retry-After: 7200\r\n");
  EXPECT_NE(refusal(request()).find("come back in 7200 s"), std::string::npos);
  server_.hub.refuse(listing, {"429 Too Many Requests", "429 Too Many Requests", "429 Too Many Requests"});
  EXPECT_NE(refusal(request()).find("a token raises the limit"), std::string::npos);
}

TEST_F(HubFetchTest, AnswersThatAreNotTheHubsAreRefused) {
  const std::string listing = HubServer::listing_path("owner/model"), commit = HubServer::kCommit;
  const auto answer = [&](const std::string& text) {
    server_.hub.put(listing, text);
    return message_of<FormatError>([&] { fetch_from_hub(request()); });
  };
  EXPECT_NE(answer("<html>").find(listing), std::string::npos);
  EXPECT_NE(answer("{}").find("sha"), std::string::npos);
  EXPECT_NE(answer(R"({"sha": "../../x", "siblings": []})").find("the commit is '../../x'"), std::string::npos);
  for (const char* file : {"../x", "/etc/passwd", "a/../../x", "a//b", "a\\\\b", "a\\nb", ""}) {
    EXPECT_NE(answer("{\"sha\": \"" + commit + "\", \"siblings\": [{\"rfilename\": \"" + file + "\"}]}")
                  .find("would leave its folder"),
              std::string::npos)
        << file;
  }
  server_.hub.put(listing, "{\"sha\": \"" + commit +
                               "\", \"siblings\": [{\"rfilename\": \"config.json\"}, {\"rfilename\": \"model.bin\"}]}");
  const auto describe = [&](const std::string& headers) {
    server_.hub.put(HubServer::file_path("owner/model", "config.json"), "{}", headers);
    return message_of<FormatError>([&] { fetch_from_hub(request()); });
  };
  EXPECT_NE(describe("ETag: \"../../x\"\r\n").find("is it a mirror"), std::string::npos);
  server_.hub.redirect(HubServer::file_path("owner/model", "config.json"), server_.store.url("x"), "ETag: \"1\"\r\n");
  EXPECT_NE(message_of<FormatError>([&] { fetch_from_hub(request()); }).find("no size"), std::string::npos);
  EXPECT_NE(describe("ETag: \"1\"\r\nX-Repo-Commit: abc\r\n").find("is of commit 'abc'"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "x"));
}

}  // namespace domainfusion
