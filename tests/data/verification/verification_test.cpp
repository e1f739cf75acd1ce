#include <gtest/gtest.h>

#include <atomic>

#include "data/made_dataset.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/data/transforms/color.h"
#include "domainfusion/data/transforms/resize.h"
#include "domainfusion/data/verification/set_counts.h"
#include "domainfusion/data/verification/set_verification.h"
#include "domainfusion/io/files/content_hash.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

SetCounts pacs_counts() { return counts_of(known_dataset("PACS")); }

// A picture with large shapes, as photographs have.
Image shapes(int size_px, int seed) {
  Image image{size_px, size_px, {}};
  for (int y = 0; y < size_px; ++y) {
    for (int x = 0; x < size_px; ++x) {
      const double u = x * 6.0 / size_px, v = y * 6.0 / size_px;
      const double wave = std::sin(u * (1 + seed % 3) + seed) * std::cos(v * (1 + seed % 5) + 2 * seed);
      for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(128 + 100 * wave));
    }
  }
  return image;
}

}  // namespace

TEST(ParallelForEach, CallsEachOnceAndRethrowsWhatWentWrong) {
  std::vector<std::atomic<int>> calls(1000);
  parallel_for_each(calls.size(), [&](std::size_t i) { ++calls[i]; });
  for (const auto& count : calls) EXPECT_EQ(count, 1);
  EXPECT_EQ(message_of<FormatError>(
                [] { parallel_for_each(100, [](std::size_t i) { check<FormatError>(i != 17, "seventeen"); }); }),
            "seventeen");
  parallel_for_each(0, [](std::size_t) { FAIL(); });
}

TEST(SetCounts, AreTheSetsOwnAndTheTableShowsThem) {
  const SetCounts counts = count_images(MadeDataset({5, 4}));
  EXPECT_EQ(counts.images, (std::vector<std::vector<std::int64_t>>{{3, 2}, {2, 2}}));
  EXPECT_EQ(counts.total(), 9);
  EXPECT_NE(counts.table().find("cat          3        2        5\n"), std::string::npos) << counts.table();
}

TEST(SetCounts, FiguresOfTheKnownSetAreAccepted) {
  EXPECT_TRUE(differences_from_known(pacs_counts(), known_dataset("PACS"), true).empty());
}

TEST(SetCounts, ALackingImageAMissingDomainAndAStrangeClassAreNamed) {
  SetCounts counts = pacs_counts();
  --counts.images[1][2];
  counts.domain_names.pop_back();
  counts.images.pop_back();
  EXPECT_EQ(
      differences_from_known(counts, known_dataset("PACS"), true),
      (std::vector<std::string>{"domain 'sketch' of PACS is missing", "domain 'cartoon': 2343 images, PACS has 2344",
                                "domain 'cartoon', class 'giraffe': 345 images, PACS has 346"}));
  EXPECT_EQ(differences_from_known(counts, known_dataset("PACS"), false).size(), 2u);
  counts.class_names[2] = "okapi";
  const auto differences = differences_from_known(counts, known_dataset("PACS"), false);
  EXPECT_EQ(differences.front(), "class 'okapi': PACS has no such class");
}

TEST(PerceptualHash, SurvivesAnotherSizeAndBrightnessAndTellsOtherPicturesApart) {
  const Image image = shapes(96, 1);
  const Fingerprint original = fingerprint(image);
  EXPECT_TRUE(original.has_structure());
  EXPECT_TRUE(is_near(original, fingerprint(resize(image, 60, 61, Filter::kLanczos))));
  EXPECT_TRUE(is_near(original, fingerprint(adjust_brightness(image, 0.97))));
  for (int seed = 2; seed < 12; ++seed) EXPECT_FALSE(is_near(original, fingerprint(shapes(96, seed)))) << seed;
}

TEST(PerceptualHash, NearPairsAreThoseOfAllComparisons) {
  std::vector<Fingerprint> looks;
  std::vector<std::int64_t> group;
  for (int i = 0; i < 60; ++i) {
    Fingerprint look = fingerprint(shapes(48, i % 20));
    look.bits ^= std::uint64_t{i % 7 == 0} << (i % 64) | std::uint64_t{i % 5 == 0} << (i * 13 % 64);
    looks.push_back(look);
    group.push_back(i % 3);
  }
  std::vector<std::pair<std::size_t, std::size_t>> expected;
  for (std::size_t i = 0; i < looks.size(); ++i) {
    for (std::size_t j = i + 1; j < looks.size(); ++j) {
      if (group[i] != group[j] && looks[i].has_structure() && looks[j].has_structure() && is_near(looks[i], looks[j])) {
        expected.emplace_back(i, j);
      }
    }
  }
  EXPECT_GT(expected.size(), 10u);
  EXPECT_EQ(near_pairs(looks, group), expected);
}

TEST(SetExamination, FindsUnreadableFilesEqualFilesAndNearDuplicatesAcrossDomains) {
  const TemporaryFolder folder;
  for (int i = 0; i < 8; ++i) {
    const std::string name = (i % 2 ? "dog/" : "cat/") + std::to_string(i) + ".png";
    folder.write("art/" + name, encode_png(shapes(64, i)));
    folder.write("photo/" + name, encode_png(shapes(64, 20 + i)));
  }
  folder.write("photo/cat/same.png", encode_png(shapes(64, 2)));
  folder.write("photo/dog/near.png", encode_png(resize(shapes(64, 3), 50, 50, Filter::kBicubic)));
  folder.write("photo/cat/broken.png", "no picture");
  folder.write("photo/cat/flat.png", encode_png({8, 8, std::vector<std::uint8_t>(192, 9)}));
  folder.write("art/cat/flat.png", encode_png({9, 9, std::vector<std::uint8_t>(243, 9)}));
  const FolderDataset dataset(folder.path());
  const SetExamination examination = examine_set(dataset);
  ASSERT_EQ(examination.unreadable().size(), 1u);
  EXPECT_EQ(examination.unreadable()[0].path, "photo/cat/broken.png");
  EXPECT_EQ(examination.manifest().at("photo/cat/broken.png"), sha256_hex("no picture"));
  const auto overlaps = examination.overlaps(dataset);
  ASSERT_EQ(overlaps.size(), 1u);
  EXPECT_EQ(overlaps[0].same_file, (std::vector<DomainOverlap::Pair>{{"art/cat/2.png", "photo/cat/same.png"}}));
  EXPECT_EQ(overlaps[0].near, (std::vector<DomainOverlap::Pair>{{"art/dog/3.png", "photo/dog/near.png"}}));
}

TEST(SetManifest, ReadsWhatItWroteAndTellsMissingChangedAndExtraFiles) {
  const TemporaryFolder folder;
  const SetManifest manifest{
      {"a/cat/1 x.png", sha256_hex("1")}, {"a/cat/2.png", sha256_hex("2")}, {"a/z", sha256_hex("")}};
  write_manifest(folder / "hashes", manifest);
  EXPECT_EQ(read_manifest(folder / "hashes"), manifest);
  SetManifest now = manifest;
  now.erase("a/cat/1 x.png");
  now["a/cat/2.png"] = sha256_hex("3");
  now["b/new.png"] = sha256_hex("4");
  const ManifestDifference difference = compare_manifests(manifest, now);
  EXPECT_EQ(difference.missing, std::vector<std::string>{"a/cat/1 x.png"});
  EXPECT_EQ(difference.changed, std::vector<std::string>{"a/cat/2.png"});
  EXPECT_EQ(difference.extra, std::vector<std::string>{"b/new.png"});
  EXPECT_TRUE(compare_manifests(now, now).none());
}

TEST(SetManifest, ABrokenLineIsAnErrorThatNamesIt) {
  const TemporaryFolder folder;
  const auto file = folder.write("hashes", sha256_hex("1") + "  a\n" + "nonsense\n");
  EXPECT_NE(message_of<FormatError>([&] { read_manifest(file); }).find("hashes, line 2"), std::string::npos);
  EXPECT_THROW(write_manifest(folder / "x", {{"a\nb", sha256_hex("")}}), FormatError);
}

}  // namespace domainfusion
