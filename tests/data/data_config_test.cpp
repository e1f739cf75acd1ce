// The set that options mean: caches change no bit and survive what happens to files.
#include "domainfusion/data/data_config.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <thread>

#include "data/made_dataset.h"
#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/data/caches/packed_dataset.h"
#include "domainfusion/data/caches/shrunk_dataset.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/file_hashes.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

class OpenDataset : public testing::Test {
 protected:
  OpenDataset() { write_as_folder(MadeDataset({6, 5}), folder_ / "set"); }
  DataConfig config(ImageCache cache) const {
    DataConfig config;
    config.root = (folder_ / "set").string();
    config.cache = cache;
    config.cache_folder = (folder_ / "caches").string();
    return config;
  }
  // The one packed file.
  fs::path packed_file() const {
    for (const auto& entry : fs::directory_iterator(folder_ / "caches")) {
      if (entry.path().extension() == ".images") return entry.path();
    }
    return {};
  }
  std::size_t packed_files() const {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator(folder_ / "caches")) count += entry.path().extension() == ".images";
    return count;
  }
  static void expect_equal(const DomainDataset& a, const DomainDataset& b) {
    for (std::int64_t d = 0; d < a.number_of_domains(); ++d) {
      ASSERT_EQ(a.size(d), b.size(d));
      for (std::int64_t i = 0; i < a.size(d); ++i) {
        EXPECT_EQ(a.image(d, i), b.image(d, i)) << a.info(d, i).path;
        EXPECT_EQ(a.file_hash(d, i), b.file_hash(d, i));
      }
    }
  }
  void expect_packed_equals_plain() {
    expect_equal(*open_dataset(config(ImageCache::kPacked)), *open_dataset(config(ImageCache::kNone)));
  }
  void overwrite(const fs::path& file, std::size_t at, char byte) {
    std::string bytes = read_file(file);
    bytes.at(at) = byte;
    std::ofstream(file, std::ios::binary) << bytes;
  }

  TemporaryFolder folder_;
};

}  // namespace

TEST_F(OpenDataset, NeedsARoot) { EXPECT_THROW(open_dataset({}), ConfigError); }

TEST_F(OpenDataset, NoCacheChangesAnyImage) {
  const auto plain = open_dataset(config(ImageCache::kNone));
  for (const ImageCache cache : {ImageCache::kMemory, ImageCache::kPacked}) {
    for (int round = 0; round < 2; ++round) expect_equal(*open_dataset(config(cache)), *plain);
  }
  EXPECT_EQ(packed_files(), 1u);
}

TEST_F(OpenDataset, ACutOffOrOverwrittenPackedFileIsMadeAnew) {
  open_dataset(config(ImageCache::kPacked));
  const auto good = read_file(packed_file());
  fs::resize_file(packed_file(), good.size() / 2);
  expect_packed_equals_plain();
  EXPECT_TRUE(read_file(packed_file()) == good);
  std::ofstream(packed_file(), std::ios::binary) << "nonsense";
  expect_packed_equals_plain();
  overwrite(packed_file(), good.size() - 60, '\x7f');  // in the entries or the footer
  expect_packed_equals_plain();
  EXPECT_TRUE(read_file(packed_file()) == good);
}

TEST_F(OpenDataset, APictureWithBrokenPixelsIsDecodedInstead) {
  open_dataset(config(ImageCache::kPacked));
  overwrite(packed_file(), 700, static_cast<char>(read_file(packed_file()).at(700) + 1));
  expect_packed_equals_plain();
}

TEST_F(OpenDataset, AChangedPictureAndAnExcludedOneMakeAnotherPackedFile) {
  open_dataset(config(ImageCache::kPacked));
  write_png(folder_ / "set/a/cat/0.png", made_image(9, 9, 77));
  expect_packed_equals_plain();
  EXPECT_EQ(packed_files(), 2u);
  DataConfig fewer = config(ImageCache::kPacked);
  fewer.exclude = folder_.write("list.txt", "a/cat/0.png\n").string();
  EXPECT_EQ(open_dataset(fewer)->size(0), 5);
  EXPECT_EQ(packed_files(), 3u);
}

TEST_F(OpenDataset, ABrokenPictureIsAnErrorOnlyWhenItIsAskedFor) {
  folder_.write("set/b/dog/broken.png", "no picture");
  const auto packed = open_dataset(config(ImageCache::kPacked));
  const std::int64_t last = packed->size(1) - 1;
  EXPECT_EQ(packed->info(1, last).path, "b/dog/broken.png");
  EXPECT_THROW(packed->image(1, last), FormatError);
  EXPECT_NO_THROW(packed->image(1, 0));
}

TEST_F(OpenDataset, SeveralMayMakeThePackedFileAtOnce) {
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([&] { expect_packed_equals_plain(); });
  threads.clear();
  EXPECT_EQ(packed_files(), 1u);
  for (const auto& entry : fs::directory_iterator(folder_ / "caches")) {
    EXPECT_EQ(entry.path().string().find(".partial"), std::string::npos) << entry.path();
  }
}

TEST_F(OpenDataset, ShrinkingIsTheSameWithEveryCacheAndKeepsTheShape) {
  std::vector<std::shared_ptr<const DomainDataset>> sets;
  for (const ImageCache cache : {ImageCache::kNone, ImageCache::kMemory, ImageCache::kPacked}) {
    DataConfig small = config(cache);
    small.shrink_to_px = 10;
    sets.push_back(open_dataset(small));
  }
  expect_equal(*sets[0], *sets[1]);
  expect_equal(*sets[0], *sets[2]);
  const Image image = sets[0]->image(0, 0);  // of 20 x 24
  EXPECT_EQ(image.height, 10);
  EXPECT_EQ(image.width, 12);
  const ShrunkDataset larger(std::make_shared<MadeDataset>(std::vector<std::int64_t>{3}), 30);
  EXPECT_EQ(larger.image(0, 1), MadeDataset({3}).image(0, 1));
}

TEST_F(OpenDataset, AlphaDecidesThePixelsAndNamesThePackedFile) {
  const std::string bytes = read_file(DOMAINFUSION_TEST_DIR "/parity/decoding/hidden_black.png");
  folder_.write("set/a/cat/0.png", bytes);
  for (const Alpha alpha : {Alpha::kDrop, Alpha::kWhite}) {
    for (const ImageCache cache : {ImageCache::kNone, ImageCache::kPacked}) {
      DataConfig options = config(cache);
      options.alpha = alpha;
      EXPECT_EQ(open_dataset(options)->image(0, 0), decode_image(bytes, "", alpha));
    }
  }
  EXPECT_NE(decode_image(bytes, ""), decode_image(bytes, "", Alpha::kWhite));
  EXPECT_EQ(packed_files(), 2u);
}

TEST_F(OpenDataset, APictureReplacedByOneOfEqualSizeAndTimeIsDecodedAnew) {
  const auto path = folder_ / "set/a/cat/0.png";
  Image picture = made_image(4, 4, 1);
  write_png(path, picture);
  const auto time = fs::last_write_time(path);
  const auto size = fs::file_size(path);
  open_dataset(config(ImageCache::kPacked));
  std::string bytes = read_file(path);
  const std::string stamp = file_stamp(path);
  // Of equal length, as in archives whose files all have one time.
  for (int seed = 2; encode_png(picture) == bytes || encode_png(picture).size() != size; ++seed)
    picture = made_image(4, 4, seed);
  write_png(path, picture);
  fs::last_write_time(path, time);
  EXPECT_NE(file_stamp(path), stamp);
  EXPECT_EQ(open_dataset(config(ImageCache::kPacked))->image(0, 0), picture);
}

TEST_F(OpenDataset, HashesAreRememberedBesideTheCachesByDefault) {
  const char* before = std::getenv("XDG_CACHE_HOME");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("XDG_CACHE_HOME", (folder_ / "home").c_str(), 1);
  DataConfig options = config(ImageCache::kMemory);
  options.cache_folder.clear();
  const std::string hash = open_dataset(options)->file_hash(0, 0);
  std::string text;
  for (const auto& entry : fs::directory_iterator(folder_ / "home/domainfusion")) text += read_file(entry.path());
  EXPECT_NE(text.find(hash), std::string::npos);
  before == nullptr ? ::unsetenv("XDG_CACHE_HOME") : ::setenv("XDG_CACHE_HOME", kept.c_str(), 1);
}

TEST(FileHashes, ABrokenMemoryIsAsGoodAsNone) {
  const TemporaryFolder folder;
  const auto file = folder.write("x", "one");
  fs::create_symlink(folder / "loop", folder / "loop");
  fs::create_directories(folder / "folder.tsv");
  for (const fs::path& memory :
       {folder / "loop", folder / "loop/hashes.tsv", folder / "folder.tsv", folder / "x/below"}) {
    FileHashes hashes(memory);
    EXPECT_EQ(hashes.sha256(file), sha256_hex("one")) << memory;
    EXPECT_NO_THROW(hashes.save()) << memory;
  }
}

TEST(FileHashes, AreRememberedUntilTheFileChanges) {
  const TemporaryFolder folder;
  const auto file = folder.write("x", "one");
  {
    FileHashes hashes(folder / "memory/hashes.tsv");
    EXPECT_EQ(hashes.sha256(file), sha256_hex("one"));
    hashes.save();
  }
  // A remembered hash is believed as long as size and time are the same: made visible by a false one.
  const std::string stamp = file_stamp(file);
  folder.write("memory/hashes.tsv", sha256_hex("false") + "\t" + stamp + "\t" + file.string() + "\nbroken line\n");
  FileHashes hashes(folder / "memory/hashes.tsv");
  EXPECT_EQ(hashes.sha256(file), sha256_hex("false"));
  folder.write("x", "other");
  EXPECT_EQ(hashes.sha256(file), sha256_hex("other"));
  EXPECT_THROW(hashes.sha256(folder / "none"), IoError);
}

TEST(PixelIdentity, FollowsWhatIsDoneToThePixelsAndTheHashOfTheFileDoesNot) {
  const auto set = std::make_shared<MadeDataset>(std::vector<std::int64_t>{3});
  const ShrunkDataset shrunk(set, 16);
  const CachedDataset cached(std::make_shared<ShrunkDataset>(set, 16), 1 << 20);
  EXPECT_EQ(shrunk.file_hash(0, 1), set->file_hash(0, 1));
  EXPECT_EQ(set->pixel_identity(0, 1), set->file_hash(0, 1));
  EXPECT_NE(shrunk.pixel_identity(0, 1), set->pixel_identity(0, 1));
  EXPECT_NE(shrunk.pixel_identity(0, 1), ShrunkDataset(set, 17).pixel_identity(0, 1));
  EXPECT_EQ(cached.pixel_identity(0, 1), shrunk.pixel_identity(0, 1));
}

}  // namespace domainfusion
