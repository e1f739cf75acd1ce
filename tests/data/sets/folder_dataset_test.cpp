#include "domainfusion/data/sets/folder_dataset.h"

#include <gtest/gtest.h>

#include "data/made_dataset.h"
#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/io/files/content_hash.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

std::string tiny_png(int seed = 0) { return encode_png(made_image(3, 4, seed)); }

std::vector<std::string> paths_of(const DomainDataset& dataset, std::int64_t domain) {
  std::vector<std::string> paths;
  for (std::int64_t i = 0; i < dataset.size(domain); ++i) paths.push_back(dataset.info(domain, i).path);
  return paths;
}

template <class ErrorType>
std::string opening_error(const std::filesystem::path& root) {
  return message_of<ErrorType>([&] { FolderDataset{root}; });
}

}  // namespace

TEST(FolderDataset, DomainsClassesAndImagesComeInTheOrderOfImageFolder) {
  const TemporaryFolder folder;
  for (const char* path : {"sketch/dog/10.png", "sketch/dog/2.png", "sketch/dog/Z.PNG", "sketch/cat/a.png",
                           "sketch/cat/b/c.png", "sketch/cat/b-/d.png", "Photo/dog/x.png", "Photo/cat/y.png"}) {
    folder.write(path, tiny_png());
  }
  folder.write("sketch/dog/notes.txt", "no image");
  folder.write("sketch/dog/.hidden.png", "no image");
  folder.write("readme.md", "no domain");
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(dataset.domain_names(), (std::vector<std::string>{"Photo", "sketch"}));
  EXPECT_EQ(dataset.class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(paths_of(dataset, 1),
            (std::vector<std::string>{"sketch/cat/a.png", "sketch/cat/b/c.png", "sketch/cat/b-/d.png",
                                      "sketch/dog/10.png", "sketch/dog/2.png", "sketch/dog/Z.PNG"}));
  EXPECT_EQ(dataset.info(1, 3).label, 1);
  EXPECT_EQ(dataset.info(1, 3).domain, 1);
}

TEST(FolderDataset, ImagesAndHashesAreThoseOfTheFiles) {
  const TemporaryFolder folder;
  const MadeDataset made({4, 3});
  write_as_folder(made, folder.path());
  const FolderDataset dataset(folder.path());
  ASSERT_EQ(dataset.size(0), 4);
  // Labels sort the files: cat 0, 2, then dog 1, 3.
  EXPECT_EQ(dataset.image(0, 1), made.image(0, 2));
  EXPECT_EQ(dataset.file_hash(0, 1), sha256_hex_of_file(folder / "a/cat/2.png"));
  EXPECT_EQ(dataset.file_hash(0, 1), made.file_hash(0, 2));
}

TEST(FolderDataset, AMissingFolderAndAFileAreErrorsThatSayWhatIsExpected) {
  const TemporaryFolder folder;
  EXPECT_NE(opening_error<IoError>(folder / "none").find("does not exist; expected <domain>/<class>/<image>"),
            std::string::npos);
  EXPECT_NE(opening_error<IoError>(folder.write("file", "x")).find("is a file"), std::string::npos);
  EXPECT_NE(opening_error<IoError>(folder / "file/below").find("does not exist"), std::string::npos);
}

TEST(FolderDataset, AnEmptySetAnEmptyDomainAndAOneClassSetAreErrors) {
  const TemporaryFolder empty, one_class, empty_domain;
  EXPECT_NE(opening_error<FormatError>(empty.path()).find("no domain folders"), std::string::npos);
  one_class.write("a/cat/1.png", tiny_png());
  one_class.write("b/cat/1.png", tiny_png());
  EXPECT_NE(opening_error<FormatError>(one_class.path()).find("at least two classes"), std::string::npos);
  empty_domain.write("a/cat/1.png", tiny_png());
  empty_domain.write("a/dog/1.png", tiny_png());
  empty_domain.write("b/cat/notes.txt", "");
  EXPECT_NE(opening_error<FormatError>(empty_domain.path()).find("domain 'b' has no images"), std::string::npos);
}

TEST(FolderDataset, AClassThatADomainLacksIsReportedAndLabelsStayAligned) {
  const TemporaryFolder folder;
  for (const char* path : {"a/cat/1.png", "a/dog/1.png", "b/dog/1.png"}) folder.write(path, tiny_png());
  const FolderDataset dataset(folder.path());
  ASSERT_EQ(dataset.remarks().size(), 1u);
  EXPECT_EQ(dataset.remarks()[0], "domain 'b' has no image of class 'cat'");
  EXPECT_EQ(dataset.info(1, 0).label, 1);
}

TEST(FolderDataset, ManyClassesThatADomainLacksAreOneRemark) {
  const TemporaryFolder folder;
  for (const char* name : {"1", "2", "3", "4", "5", "6", "7"}) {
    folder.write(fmt::format("a/{}/1.png", name), tiny_png());
  }
  folder.write("b/2/1.png", tiny_png());
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(dataset.remarks(), std::vector<std::string>{"domain 'b' has images of 1 of the 7 classes"});
}

TEST(FolderDataset, FoldersOfTheSystemAndHiddenOnesAreNoDomainsOrClasses) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({4, 4}), folder.path());
  for (const char* path : {"__MACOSX/a/cat/._0.png", "lost+found/1.png", "@eaDir/cat/2.png", ".ipynb_checkpoints/3.png",
                           "System Volume Information/x", "a/@eaDir/4.png", "a/.ipynb_checkpoints/5.png",
                           "b/#recycle/6.png", "b/cat/@eaDir/7.png", "a/cat/Thumbs.db", "Thumbs.db"}) {
    folder.write(path, tiny_png());
  }
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(dataset.domain_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(dataset.class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset.size(0), 4);
  EXPECT_EQ(dataset.size(1), 4);
  ASSERT_EQ(dataset.remarks().size(), 1u);
  EXPECT_NE(dataset.remarks()[0].find("passed over 9 folder(s)"), std::string::npos) << dataset.remarks()[0];
}

TEST(FolderDataset, PicturesOfOtherFormatsAreCountedByTheirEndings) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({4, 4}), folder.path());
  for (const char* name : {"1.GIF", "2.gif", "3.avif", "4.bmp", "5.txt"})
    folder.write("a/cat/" + std::string(name), "?");
  folder.write("a/cat/6.tif", tiny_png());  // the content decides
  folder.write("a/cat/7.jfif", tiny_png());
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(dataset.size(0), 6);
  ASSERT_EQ(dataset.remarks().size(), 1u);
  EXPECT_TRUE(dataset.remarks()[0].starts_with("left out: 1 .avif, 1 .bmp, 2 .gif;")) << dataset.remarks()[0];
}

TEST(FolderDataset, ClassesThatDifferInCaseOrUnicodeFormAloneAreNamed) {
  const TemporaryFolder folder;
  for (const char* name : {"Dog", "dog", "caf\u00e9", "cafe\u0301", "cat"})
    folder.write("a/" + std::string(name) + "/1.png", tiny_png());
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(dataset.number_of_classes(), 5);
  ASSERT_EQ(dataset.remarks().size(), 2u);
  EXPECT_NE(dataset.remarks()[0].find("'cafe\u0301' and 'caf\u00e9' differ in Unicode form"), std::string::npos)
      << dataset.remarks()[0];
  EXPECT_NE(dataset.remarks()[1].find("'Dog' and 'dog' differ in case"), std::string::npos) << dataset.remarks()[1];
}

TEST(FolderDataset, AClassWithoutImagesInAllDomainsIsNamedAndNoClass) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({4, 4}), folder.path());
  folder.write("a/bird/notes.txt", "");
  folder.write("b/cow/broken.png", "no picture");
  EXPECT_EQ(FolderDataset(folder.path()).class_names(), (std::vector<std::string>{"cat", "cow", "dog"}));
  const FolderDataset dataset(folder.path(), {.skip_broken = true});
  EXPECT_EQ(dataset.class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(dataset.info(1, 3).label, 1);
  ASSERT_EQ(dataset.remarks().size(), 1u);
  EXPECT_EQ(dataset.remarks()[0], "left out: 2 class folder(s) without an image in any domain: bird, cow");
}

TEST(FolderDataset, AnUnknownDomainIsAnErrorThatNamesTheNearest) {
  const MadeDataset dataset({1, 1, 1});
  EXPECT_EQ(dataset.domain_index("b"), 1);
  EXPECT_EQ(message_of<ConfigError>([&] { dataset.domain_index("bb"); }),
            "unknown domain 'bb' (did you mean 'b'?); the set has: a, b, c");
  EXPECT_EQ(message_of<ConfigError>([&] { dataset.domain_indices({"a", "a"}); }), "domain 'a' is named twice");
  EXPECT_NE(message_of<ConfigError>([&] { require_domains(dataset, 4, "this"); }).find("this needs at least 4 domains"),
            std::string::npos);
}

TEST(FolderDataset, ABrokenImageIsAnErrorThatNamesTheFile) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({4, 4}), folder.path());
  const auto broken = folder.write("a/cat/0.png", "");
  const FolderDataset dataset(folder.path());
  EXPECT_EQ(message_of<FormatError>([&] { dataset.image(0, 0); }), broken.string() + ": the image has 0 bytes");
}

TEST(FolderDataset, BrokenImagesCanBeLeftOutAreCountedAndListed) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({6, 4}), folder.path());
  folder.write("a/cat/0.png", "");
  folder.write("a/dog/3.png", tiny_png().substr(0, 40));
  folder.write("b/dog/3.jpg", "BM-no-bitmap");
  const FolderDataset dataset(folder.path(), {.skip_broken = true});
  ASSERT_EQ(dataset.broken().size(), 3u);
  EXPECT_EQ(dataset.broken()[0].path, "a/cat/0.png");
  EXPECT_NE(dataset.broken()[1].cause.find("cut off"), std::string::npos);
  EXPECT_NE(dataset.broken()[2].cause.find("BMP"), std::string::npos);
  EXPECT_EQ(dataset.size(0), 4);
  EXPECT_EQ(dataset.size(1), 4);
  for (std::int64_t d : {0, 1}) {
    for (std::int64_t i = 0; i < dataset.size(d); ++i) EXPECT_NO_THROW(dataset.image(d, i));
  }
}

TEST(FolderDataset, AnExclusionListTakesImagesAwayWithoutMovingTheOthers) {
  const TemporaryFolder folder;
  write_as_folder(MadeDataset({6, 4}), folder.path());
  const auto list = folder.write("duplicates.txt", "a/cat/2.png\r\n\n  ./b/dog/1.png  \nc/cat/none.png\n");
  const FolderDataset dataset(folder.path(), {.exclude = list});
  EXPECT_EQ(dataset.excluded(), 2);
  EXPECT_EQ(paths_of(dataset, 0),
            (std::vector<std::string>{"a/cat/0.png", "a/cat/4.png", "a/dog/1.png", "a/dog/3.png", "a/dog/5.png"}));
  EXPECT_EQ(paths_of(dataset, 1), (std::vector<std::string>{"b/cat/0.png", "b/cat/2.png", "b/dog/3.png"}));
  EXPECT_THROW(FolderDataset(folder.path(), {.exclude = folder / "none.txt"}), IoError);
}

TEST(FolderDataset, ALinkThatLeadsBackIsAnError) {
  const TemporaryFolder folder;
  folder.write("a/cat/1.png", tiny_png());
  std::filesystem::create_directory_symlink(folder / "a/cat", folder / "a/cat/again");
  EXPECT_NE(opening_error<FormatError>(folder.path()).find("folders deep"), std::string::npos);
}

TEST(FolderDataset, ANameThatIsNotUtf8IsAnError) {
  const TemporaryFolder folder;
  folder.write("a/cat/\xff.png", tiny_png());
  EXPECT_NE(opening_error<FormatError>(folder.path()).find("not UTF-8"), std::string::npos);
}

TEST(CachedDataset, GivesTheSameImagesAndKeepsToItsLimit) {
  const auto made = std::make_shared<MadeDataset>(std::vector<std::int64_t>{8, 8});
  const std::int64_t limit = 3 * 24 * 24 * 5;
  const CachedDataset cached(made, limit);
  for (int round = 0; round < 2; ++round) {
    for (std::int64_t i = 0; i < 8; ++i) EXPECT_EQ(cached.image(1, i), made->image(1, i));
  }
  EXPECT_GT(cached.bytes_held(), 0);
  EXPECT_LE(cached.bytes_held(), limit);
}

TEST(CachedDataset, KeepsNothingOfDomainsThatHaveTheirOwnMemory) {
  const auto made = std::make_shared<MadeDataset>(std::vector<std::int64_t>{8, 8});
  const CachedDataset cached(made, 1 << 20, /*first_domain=*/1);
  EXPECT_EQ(cached.image(0, 3), made->image(0, 3));
  EXPECT_EQ(cached.bytes_held(), 0);
  EXPECT_EQ(cached.image(1, 3), made->image(1, 3));
  EXPECT_GT(cached.bytes_held(), 0);
}

}  // namespace domainfusion
