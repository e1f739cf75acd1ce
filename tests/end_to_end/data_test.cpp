// domainfusion data, and what a run says of pictures that lie in the held-out domain too.
#include <gtest/gtest.h>

#include "data/fetch/made_archive.h"
#include "end_to_end/command_line.h"
#include "fetch/local_server.h"

namespace domainfusion {
namespace {

class DataCommand : public testing::Test {
 protected:
  void SetUp() override { shell_.make_set(); }
  // Expects the exit code, and all of `words` in what is printed.
  CommandResult expect(const std::string& arguments, int exit_code, const std::vector<std::string>& words) {
    const CommandResult result = shell_.run(arguments);
    EXPECT_EQ(result.exit_code, exit_code) << arguments << "\n" << result.out << result.err;
    for (const std::string& word : words) {
      EXPECT_NE((result.out + result.err).find(word), std::string::npos) << word << "\n" << result.out << result.err;
    }
    return result;
  }
  CommandLine shell_;
};

}  // namespace

TEST_F(DataCommand, LsShowsKnownSetsAndCountsOfAFolder) {
  expect("data ls", 0, {"PACS: 7 classes", "DomainNet", "Digits-DG", "\"art painting\"", "3929"});
  expect("data ls --data set", 0, {"cartoon", "photo", "cat"});
  expect("data ls --data nowhere", 3, {"nowhere"});
}

TEST_F(DataCommand, VerifyWritesHashesAndFindsWhatChanged) {
  expect("data verify set --write hashes.txt", 0, {"hashes of 60 files", "60 images read"});
  EXPECT_EQ(std::system(("cd '" + (shell_ / "set").string() + "' && sha256sum --quiet -c ../hashes.txt").c_str()), 0);
  expect("data verify set --manifest hashes.txt", 0, {"all 60 files are as in hashes.txt"});
  std::filesystem::remove(shell_ / "set/photo/cat/3.png");
  std::filesystem::copy_file(shell_ / "set/photo/cat/4.png", shell_ / "set/sketch/cat/new.png");
  std::ofstream(shell_ / "set/photo/dog/5.png") << "broken";
  expect("data verify set --manifest hashes.txt", 3,
         {"missing files: 1", "photo/cat/3.png", "changed files: 1", "extra files: 1", "sketch/cat/new.png",
          "unreadable images: 1", "equal files in photo and sketch: 1", "photo/cat/4.png = sketch/cat/new.png"});
}

TEST_F(DataCommand, VerifyHoldsASetAgainstTheKnownOne) {
  expect("data verify set --set PACS", 3,
         {"class 'cat': PACS has no such class", "domain 'art_painting' of PACS is missing"});
  expect("data verify set --set PAKS", 2, {"did you mean 'PACS'"});
}

TEST_F(DataCommand, FetchBringsASetFromAMirrorThroughACutConnection) {
  LocalServer server;
  server.put("mine.zip", made_archive({{"top/photo/cat/1.png", "one"}, {"top/photo/dog/1.png", "two"}}, true));
  server.cut_after({150});
  expect("data fetch PACS --to fetched --mirror " + server.url("mine.zip"), 0, {"PACS lies in fetched", "recorded"});
  EXPECT_EQ(CommandLine::text(shell_ / "fetched/photo/dog/1.png"), "two");
  server.put("evil.tar.gz", made_archive({{"../../evil.png", "x"}}));
  expect("data fetch mine --to evil --mirror " + server.url("evil.tar.gz"), 3, {"evil.tar.gz", "'..'"});
  EXPECT_FALSE(std::filesystem::exists(shell_ / "evil.png"));
  expect("data fetch PACS --to other", 2, {"no address is known", "--mirror"});
}

TEST_F(DataCommand, ARunSaysWhichSourceImagesLieInTheHeldOutDomain) {
  expect(CommandLine::tiny_run("--out clean"), 0, {"no source image lies in it"});
  std::filesystem::copy_file(shell_ / "set/sketch/cat/4.png", shell_ / "set/photo/cat/leak.png");
  expect(CommandLine::tiny_run("--out leaky"), 0,
         {"1 source images also lie in the held-out domain 'sketch'", "photo/cat/leak.png",
          "but 1 source images also lie in it"});
  EXPECT_NE(CommandLine::text(shell_ / "leaky/records.jsonl").find("\"type\":\"guard\""), std::string::npos);
}

TEST_F(DataCommand, APackedCacheChangesNoNumberOfARunAndAnExclusionListItsImages) {
  expect(CommandLine::tiny_run("--out plain"), 0, {});
  const std::string packed = "--set data.cache=packed --set data.cache_folder=caches ";
  for (const char* out : {"first", "second"}) {
    expect(CommandLine::tiny_run(packed + "--out " + out), 0, {});
    EXPECT_EQ(CommandLine::text(shell_ / (std::string(out) + "/records.jsonl")),
              CommandLine::text(shell_ / "plain/records.jsonl"));
  }
  std::ofstream(shell_ / "list.txt") << "photo/cat/1.png\nphoto/dog/1.png\n";
  expect(CommandLine::tiny_run("--set data.exclude=list.txt --out fewer"), 0, {"2 images are left out by list.txt"});
  EXPECT_NE(CommandLine::text(shell_ / "fewer/run.json").find("\"photo\": 18"), std::string::npos);
}

}  // namespace domainfusion
