#include "domainfusion/data/procedural/procedural_objects.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

std::string hash_of(const Image& image) {
  return sha256_hex({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()}).substr(0, 16);
}

class Folder {
 public:
  explicit Folder(const std::string& name) : path(fs::temp_directory_path() / fs::path("domainfusion_" + name)) {
    fs::remove_all(path);
  }
  ~Folder() { fs::remove_all(path); }
  const fs::path path;
};

TEST(ProceduralObjects, ImagesStayTheSameForEver) {
  struct Pin {
    int domain, label;
    std::int64_t index;
    const char* hash;
  };
  const Pin pins[] = {
      {0, 0, 0, "5e59a3a33bab0606"},  {0, 1, 3, "08306d637efc4c2c"},  {0, 2, 6, "91c189742c2b8c12"},
      {0, 3, 9, "9ab1e6c3324df54a"},  {0, 4, 12, "0fdf37d4c0c61346"}, {0, 5, 15, "20a404028cd2aa46"},
      {0, 6, 18, "e79527a8cf876faf"}, {1, 0, 21, "cc1a468b7573b77a"}, {1, 1, 24, "20541079c0689486"},
      {1, 2, 27, "0fd59b2eb283b430"}, {1, 3, 30, "5ab9f4a1290729c1"}, {1, 4, 33, "e8a25c7d9a53988b"},
      {1, 5, 36, "2286611b7470a83f"}, {1, 6, 39, "71a0fc3ba49e4938"}, {2, 0, 42, "522a518d3b527ed4"},
      {2, 1, 45, "6d3e3cab5e7bc8ae"}, {2, 2, 48, "0d15d3b88b19d468"}, {2, 3, 51, "6cd60c35924dccdd"},
      {2, 4, 54, "d71669efe31ff168"}, {2, 5, 57, "751739065a56e8a0"}, {2, 6, 60, "a2df8ee6c9635720"},
      {3, 0, 63, "414a7d42cc11d4c8"}, {3, 1, 66, "545d9332f27b0df6"}, {3, 2, 69, "c6e24a790a637c41"},
      {3, 3, 72, "b49f627c42bc0f2d"}, {3, 4, 75, "2734b80eee40c60c"}, {3, 5, 78, "b007410d091c2b2a"},
      {3, 6, 81, "5863ded8d229be8d"},
  };
  for (const Pin& pin : pins) {
    EXPECT_EQ(hash_of(procedural_object(0, pin.domain, pin.label, pin.index)), pin.hash)
        << procedural_domain_names()[pin.domain] << "/" << procedural_class_names()[pin.label] << "/" << pin.index
        << ": trained models depend on these pixels";
  }
}

TEST(ProceduralObjects, EveryImageIs64PixelsWideAndDiffersFromAllOthers) {
  std::set<std::string> hashes;
  for (int domain = 0; domain < 4; ++domain) {
    for (int label = 0; label < 7; ++label) {
      for (std::int64_t index = 0; index < 5; ++index) {
        const Image image = procedural_object(3, domain, label, index);
        EXPECT_EQ(image.height, 64);
        EXPECT_EQ(image.width, 64);
        ASSERT_EQ(image.rgb.size(), 3u * 64 * 64);
        EXPECT_TRUE(hashes.insert(hash_of(image)).second);
      }
    }
  }
}

TEST(ProceduralObjects, AnotherSeedGivesAnotherImage) {
  EXPECT_NE(procedural_object(0, 0, 0, 0), procedural_object(1, 0, 0, 0));
}

TEST(ProceduralObjects, SketchesHaveNoColourAndLightPaper) {
  for (int label = 0; label < 7; ++label) {
    const Image image = procedural_object(0, 3, label, 0);
    int bright = 0;
    for (std::size_t i = 0; i < image.rgb.size(); i += 3) {
      EXPECT_LE(std::abs(image.rgb[i] - image.rgb[i + 2]), 16);
      bright += image.rgb[i] > 180;
    }
    EXPECT_GT(bright, 64 * 64 / 2);
  }
}

// Each style draws the object of its own streams; what it shows is another picture than every domain's.
TEST(ProceduralObjects, StylesFollowTheDomainsAndAreWrittenOnRequest) {
  const std::vector<std::string> styles = procedural_style_names();
  ASSERT_EQ(styles.size(), 14u);
  EXPECT_EQ(std::vector<std::string>(styles.begin(), styles.begin() + 4), procedural_domain_names());
  const Folder folder("procedural_styles");
  ProceduralObjectsConfig config;
  config.images_per_class = config.sketch_images_per_class = config.style_images_per_class = 1;
  EXPECT_EQ(write_procedural_objects(folder.path, config), 7 * 14);
  std::set<std::string> hashes;
  for (int style = 0; style < 14; ++style) {
    const Image image = procedural_object(0, style, 2, 0);
    EXPECT_EQ(read_image(folder.path / styles[static_cast<std::size_t>(style)] / "cat" / "0000.png"), image);
    EXPECT_TRUE(hashes.insert(hash_of(image)).second) << styles[static_cast<std::size_t>(style)];
  }
}

TEST(ProceduralObjects, OutOfRangeArgumentsAreNamed) {
  EXPECT_THROW(procedural_object(0, 14, 0, 0), ConfigError);
  EXPECT_THROW(procedural_object(0, -1, 0, 0), ConfigError);
  EXPECT_THROW(procedural_object(0, 0, 7, 0), ConfigError);
  EXPECT_THROW(procedural_object(0, 0, -1, 0), ConfigError);
  EXPECT_THROW(procedural_object(0, 0, 0, -1), ConfigError);
}

TEST(ProceduralObjects, TheTreeOnDiskHoldsTheSamePixelsWhateverTheThreads) {
  const Folder folder("procedural_tree");
  ProceduralObjectsConfig config;
  config.images_per_class = 2;
  config.sketch_images_per_class = 1;
  EXPECT_EQ(write_procedural_objects(folder.path, config), 7 * (3 * 2 + 1));
  EXPECT_EQ(read_image(folder.path / "cartoon" / "fish" / "0001.png"), procedural_object(0, 2, 4, 1));
  EXPECT_EQ(read_image(folder.path / "sketch" / "tree" / "0000.png"), procedural_object(0, 3, 6, 0));
  EXPECT_FALSE(fs::exists(folder.path / "sketch" / "tree" / "0001.png"));
}

TEST(ProceduralObjects, AFolderBelowARegularFileIsAnIoError) {
  const Folder folder("procedural_file");
  std::ofstream(folder.path) << "a file";
  EXPECT_THROW(write_procedural_objects(folder.path / "below", {}), IoError);
}

TEST(ProceduralObjects, DomainsOfNoImagesAreLeftOut) {
  const Folder folder("procedural_styles_alone");
  ProceduralObjectsConfig config;
  fields_of(config).from_json({{"images_per_class", 0}, {"sketch_images_per_class", 0}, {"style_images_per_class", 1}});
  EXPECT_EQ(write_procedural_objects(folder.path, config), 7 * 10);
  EXPECT_TRUE(fs::exists(folder.path / "neon" / "tree" / "0000.png"));
  for (const std::string& domain : procedural_domain_names()) EXPECT_FALSE(fs::exists(folder.path / domain)) << domain;
  EXPECT_THROW(fields_of(config).from_json({{"images_per_class", -1}}), ConfigError);
}

}  // namespace
}  // namespace domainfusion
