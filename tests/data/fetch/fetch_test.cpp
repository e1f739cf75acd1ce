// Downloads from a server on this machine, and archives that must not leave their folder.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/fetch/made_archive.h"
#include "domainfusion/core/error.h"
#include "domainfusion/data/fetch/dataset_fetch.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "fetch/local_server.h"
#include "fetch/made_bytes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using Texts = std::vector<std::string>;

class FetchTest : public testing::Test {
 protected:
  FetchRequest request(const Texts& mirrors, const std::string& to = "set") const {
    FetchRequest made;
    made.sources = fetch_sources("PACS", {}, mirrors);
    made.to = folder_ / to;
    made.domain_names = {"photo", "sketch"};
    made.download = quick_tries();
    return made;
  }
  // What unpacking an archive with this entry beside a good one says.
  std::string complaint(const ArchiveEntry& hostile, UnpackLimits limits = {}) {
    const fs::path file = folder_.write("hostile.tar.gz", made_archive({{"photo/cat/1.png", "1"}, hostile}));
    fs::remove_all(folder_ / "jail");
    fs::create_directories(folder_ / "jail/in");
    const std::string message = message_of<FormatError>([&] { unpack_archive(file, folder_ / "jail/in", limits); });
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "jail")) {
      EXPECT_FALSE(entry.is_symlink()) << entry.path();
      EXPECT_TRUE(entry.path().string().starts_with((folder_ / "jail/in").string())) << entry.path();
    }
    return message;
  }

  TemporaryFolder folder_;
  LocalServer server_;
};

}  // namespace

TEST_F(FetchTest, ADownloadThatIsCutContinuesWhereItEnded) {
  const std::string bytes = made_bytes(200'000);
  server_.put("x.zip", bytes);
  server_.cut_after({50'000, 0, 100'000});
  download(server_.url("x.zip"), folder_ / "x.zip", quick_tries());
  EXPECT_TRUE(read_file(folder_ / "x.zip") == bytes);
  EXPECT_EQ(server_.requests(),
            (Texts{"GET /x.zip", "GET /x.zip from 50000", "GET /x.zip from 50000", "GET /x.zip from 150000"}));
  EXPECT_FALSE(fs::exists(folder_ / "x.zip.part"));
  EXPECT_FALSE(fs::exists(folder_ / "x.zip.part.tag"));
}

TEST_F(FetchTest, AnotherCallContinuesAndAnotherVersionIsFetchedWhole) {
  server_.put("x.zip", made_bytes(90'000));
  server_.cut_after({30'000, 0, 0, 0});
  const std::string message =
      message_of<IoError>([&] { download(server_.url("x.zip"), folder_ / "x.zip", quick_tries()); });
  EXPECT_NE(message.find("the same command continues"), std::string::npos) << message;
  EXPECT_EQ(fs::file_size(folder_ / "x.zip.part"), 30'000u);
  const std::string newer = made_bytes(95'000) + "newer";
  server_.put("x.zip", newer);
  server_.cut_after({});
  download(server_.url("x.zip"), folder_ / "x.zip", quick_tries());
  EXPECT_TRUE(read_file(folder_ / "x.zip") == newer);
}

TEST_F(FetchTest, AServerWithoutRangesSendsEverythingAgain) {
  const std::string bytes = made_bytes(70'000);
  server_.put("x.zip", bytes);
  server_.know_ranges(false);
  server_.cut_after({20'000});
  download(server_.url("x.zip"), folder_ / "x.zip", quick_tries());
  EXPECT_TRUE(read_file(folder_ / "x.zip") == bytes);
}

TEST_F(FetchTest, AMissingFileAnUnreachableServerAndAStrangeAddressAreErrors) {
  EXPECT_NE(message_of<IoError>([&] { download(server_.url("none"), folder_ / "none", quick_tries()); }).find("404"),
            std::string::npos);
  EXPECT_THROW(download("http://127.0.0.1:1/x", folder_ / "x", quick_tries()), IoError);
  EXPECT_THROW(download("file:///etc/passwd", folder_ / "x", quick_tries()), IoError);
  for (const char* file : {"x", "x.part", "none.part"}) EXPECT_FALSE(fs::exists(folder_ / file)) << file;
  server_.put("large", made_bytes(5'000));
  DownloadOptions small = quick_tries();
  small.max_bytes = 1'000;
  EXPECT_NE(message_of<IoError>([&] { download(server_.url("large"), folder_ / "large", small); }).find("larger than"),
            std::string::npos);
}

TEST_F(FetchTest, ASetIsFetchedUnpackedAndRecorded) {
  const std::string archive = made_archive({{"kfold/photo/cat/1.png", "one"},
                                            {"kfold/sketch/dog/2.png", "two"},
                                            {"__MACOSX/kfold/._x", "junk"},
                                            {"kfold/photo/.DS_Store", "junk"}},
                                           true);
  server_.put("PACS.zip", archive);
  server_.cut_after({100});
  fetch_dataset(request({server_.url("PACS.zip")}));
  EXPECT_EQ(read_file(folder_ / "set/photo/cat/1.png"), "one");
  EXPECT_EQ(read_file(folder_ / "set/sketch/dog/2.png"), "two");
  EXPECT_FALSE(fs::exists(folder_ / "set/photo/.DS_Store"));
  EXPECT_FALSE(fs::exists(folder_ / "set/__MACOSX"));
  const auto record = nlohmann::json::parse(read_file(folder_ / "set/.fetch/archives.json")).at("PACS.zip");
  EXPECT_EQ(record.at("sha256"), sha256_hex(archive));
  EXPECT_EQ(record.at("bytes"), archive.size());
  const std::size_t requests = server_.requests().size();
  fetch_dataset(request({server_.url("PACS.zip")}));
  EXPECT_EQ(server_.requests().size(), requests);
}

TEST_F(FetchTest, AnArchiveThatDiffersFromTheFirstDownloadIsRefusedAndFetchedAgain) {
  const std::string good = made_archive({{"photo/cat/1.png", "one"}});
  server_.put("x.tar.gz", made_archive({{"photo/cat/1.png", "changed"}}));
  folder_.write("set/.fetch/archives.json", "{\"x.tar.gz\": {\"sha256\": \"" + sha256_hex(good) + "\"}}");
  const std::string message = message_of<FormatError>([&] { fetch_dataset(request({server_.url("x.tar.gz")})); });
  EXPECT_NE(message.find("expected " + sha256_hex(good) + " as at the first download"), std::string::npos) << message;
  EXPECT_FALSE(fs::exists(folder_ / "set/photo"));
  server_.put("x.tar.gz", good);
  fetch_dataset(request({server_.url("x.tar.gz")}));
  EXPECT_EQ(read_file(folder_ / "set/photo/cat/1.png"), "one");
}

TEST_F(FetchTest, AKnownHashIsHeldAgainstTheFile) {
  server_.put("x.tar.gz", made_archive({{"photo/cat/1.png", "one"}}));
  FetchRequest wrong = request({server_.url("x.tar.gz")});
  wrong.sources[0].sha256 = sha256_hex("something else");
  EXPECT_THROW(fetch_dataset(wrong), FormatError);
  EXPECT_FALSE(fs::exists(folder_ / "set/photo"));
}

TEST_F(FetchTest, TheNextAddressIsTriedAndFoldersOfTheUserStay) {
  server_.put("b/x.tar.gz", made_archive({{"in/side/photo/cat/1.png", "one"}}));
  FetchRequest two = request({server_.url("b/x.tar.gz")});
  two.sources[0].urls.insert(two.sources[0].urls.begin(), server_.url("a/x.tar.gz"));
  folder_.write("set/photo/cat/mine.png", "mine");
  EXPECT_NE(message_of<ConfigError>([&] { fetch_dataset(two); }).find("is there already"), std::string::npos);
  EXPECT_EQ(read_file(folder_ / "set/photo/cat/mine.png"), "mine");
  two.to = folder_ / "other";
  two.inner = "in/side";
  fetch_dataset(two);
  EXPECT_EQ(read_file(folder_ / "other/photo/cat/1.png"), "one");
}

TEST_F(FetchTest, NothingLeavesTheFolder) {
  EXPECT_NE(complaint({"../out.png", "x"}).find("'..'"), std::string::npos);
  EXPECT_NE(complaint({"photo/../../out.png", "x"}).find("'..'"), std::string::npos);
  EXPECT_NE(complaint({(folder_ / "absolute.png").string(), "x"}).find("not a relative path"), std::string::npos);
  EXPECT_NE(complaint({"C:\\out.png", "x"}).find("not a relative path"), std::string::npos);
  EXPECT_NE(complaint({"photo/link", "", "/etc", false, AE_IFLNK}).find("is a link"), std::string::npos);
  EXPECT_NE(complaint({"photo/link", "", "../../out", true}).find("is a link"), std::string::npos);
  EXPECT_NE(complaint({"photo/pipe", "", "", false, AE_IFIFO}).find("device"), std::string::npos);
  EXPECT_NE(complaint({"photo/cat/1.png/below", "x"}).find("a file and a folder"), std::string::npos);
  EXPECT_NE(complaint({"photo/" + std::string(300, 'x'), "x"}).find("too long a name"), std::string::npos);
  EXPECT_NE(complaint({"photo/cat/1.png", "again"}).find("twice"), std::string::npos);
  EXPECT_NE(complaint({"photo/large", std::string(5'000, 'x')}, {.bytes = 1'000}).find("more than 1000 bytes"),
            std::string::npos);
  EXPECT_NE(complaint({"photo/2", "x"}, {.entries = 1}).find("more than 1 entries"), std::string::npos);
  EXPECT_FALSE(fs::exists(folder_ / "absolute.png"));
}

TEST_F(FetchTest, ABrokenArchiveIsAnErrorThatNamesIt) {
  const std::string whole = made_archive({{"a/b/1", made_bytes(9'000)}});
  for (const std::string& bytes : {std::string("nonsense"), whole.substr(0, whole.size() / 2)}) {
    const auto file = folder_.write("broken.zip", bytes);
    fs::remove_all(folder_ / "into");
    fs::create_directories(folder_ / "into");
    EXPECT_NE(message_of<FormatError>([&] { unpack_archive(file, folder_ / "into"); }).find("broken.zip"),
              std::string::npos);
  }
}

TEST(FetchSources, MirrorsComeFirstAndUnknownSetsNeedOne) {
  const std::vector<DatasetArchive> known{{"http://home/a.zip", "1"}, {"http://home/sub/b.zip", ""}};
  const auto sources = fetch_sources("X", known, {"http://near/", "http://far/q/b.zip?x=/y"});
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].urls, (Texts{"http://near/a.zip", "http://home/a.zip"}));
  EXPECT_EQ(sources[0].sha256, "1");
  EXPECT_EQ(sources[1].urls, (Texts{"http://near/b.zip", "http://far/q/b.zip?x=/y", "http://home/sub/b.zip"}));
  EXPECT_EQ(fetch_sources("X", known, {"http://me/all.tar"})[0].file_name, "all.tar");
  EXPECT_THROW(fetch_sources("X", {}, {}), ConfigError);
  EXPECT_THROW(fetch_sources("X", {}, {"http://me/.."}), ConfigError);
}

TEST(FetchSources, MirrorsCanStandInAFile) {
  const TemporaryFolder folder;
  const auto file = folder.write("mirrors.json", R"({"Office Home": ["http://a/x.zip"]})");
  EXPECT_EQ(read_mirrors(file, "office_home"), Texts{"http://a/x.zip"});
  EXPECT_TRUE(read_mirrors(file, "PACS").empty());
  EXPECT_THROW(read_mirrors(folder.write("broken.json", "[1]"), "PACS"), FormatError);
}

}  // namespace domainfusion
