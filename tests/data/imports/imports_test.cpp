// Sets made of MNIST's files and of lists of images.
#include <gtest/gtest.h>

#include <fstream>

#include "domainfusion/core/error.h"
#include "domainfusion/data/imports/image_list.h"
#include "domainfusion/data/imports/mnist_sets.h"
#include "domainfusion/data/sets/folder_dataset.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

void write_idx(const fs::path& file, std::vector<std::uint32_t> sizes, const std::string& content) {
  std::ofstream out(file, std::ios::binary);
  const auto number = [&](std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) out.put(static_cast<char>(value >> shift & 255));
  };
  number(0x800 + static_cast<std::uint32_t>(sizes.size()));
  for (const std::uint32_t size : sizes) number(size);
  out << content;
}

// Digit k is bright in row k % 8; 300 + 60 images of 8 x 8.
void write_digits(const fs::path& folder) {
  for (const auto& [part, count] : {std::pair<std::string, std::uint32_t>{"train", 300}, {"t10k", 60}}) {
    std::string pixels, labels;
    for (std::uint32_t i = 0; i < count; ++i) {
      std::string image(64, '\0');
      for (std::size_t x = 0; x < 8; ++x) image[(i % 10) % 8 * 8 + x] = static_cast<char>(200);
      pixels += image;
      labels += static_cast<char>(i % 10);
    }
    write_idx(folder / (part + "-images-idx3-ubyte"), {count, 8, 8}, pixels);
    write_idx(folder / (part + "-labels-idx1-ubyte"), {count}, labels);
  }
}

void write_text(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }

}  // namespace

TEST(MnistSets, ColorsFollowTheClassAsOftenAsTheDomainSays) {
  TemporaryFolder place;
  write_digits(place.path());
  EXPECT_EQ(write_mnist_set(MnistSet::kColored, place.path(), place / "set", 3), 360);
  const FolderDataset set(place / "set");
  ASSERT_EQ(set.domain_names(), (std::vector<std::string>{"env0_plus90", "env1_plus80", "env2_minus90"}));
  ASSERT_EQ(set.number_of_classes(), 2);
  for (std::int64_t d = 0; d < 3; ++d) {
    ASSERT_EQ(set.size(d), 120);
    int agree = 0;
    for (std::int64_t i = 0; i < 120; ++i) {
      const Image image = set.image(d, i);
      std::int64_t red = 0, green = 0, blue = 0;
      for (std::size_t p = 0; p < image.rgb.size(); p += 3) {
        red += image.rgb[p];
        green += image.rgb[p + 1];
        blue += image.rgb[p + 2];
      }
      ASSERT_EQ(blue, 0);
      ASSERT_TRUE((red == 0) != (green == 0));
      agree += (green > 0) == (set.info(d, i).label == 1);
    }
    const double expected[] = {0.9, 0.8, 0.1};
    EXPECT_NEAR(agree / 120.0, expected[d], 0.12);
  }
  EXPECT_THROW(write_mnist_set(MnistSet::kColored, place.path(), place / "set", 3), IoError);
}

TEST(MnistSets, RotationsTurnAgainstTheClock) {
  TemporaryFolder place;
  write_digits(place.path());
  EXPECT_EQ(write_mnist_set(MnistSet::kRotated, place.path(), place / "set", 3), 360);
  const FolderDataset set(place / "set");
  EXPECT_EQ(set.domain_names(), (std::vector<std::string>{"00", "15", "30", "45", "60", "75"}));
  EXPECT_EQ(set.number_of_classes(), 10);
  // A dot at the right comes to the top.
  Image dot{5, 5, std::vector<std::uint8_t>(75, 0)};
  for (std::size_t c = 0; c < 3; ++c) dot.rgb[3 * (2 * 5 + 4) + c] = 250;
  const Image turned = rotated(dot, 90);
  EXPECT_EQ(turned.rgb[3 * 2], 250);
  EXPECT_EQ(turned.rgb[3 * (2 * 5 + 4)], 0);
  EXPECT_EQ(rotated(dot, 0), dot);
}

TEST(MnistSets, FilesThatAreNotWhatTheirNamesSayAreRefused) {
  TemporaryFolder place;
  EXPECT_THROW(write_mnist_set(MnistSet::kRotated, place.path(), place / "set", 0), IoError);
  write_digits(place.path());
  write_text(place / "t10k-labels-idx1-ubyte", "no labels");
  EXPECT_THROW(write_mnist_set(MnistSet::kRotated, place.path(), place / "set", 0), FormatError);
  write_idx(place / "t10k-labels-idx1-ubyte", {60}, std::string(60, '\x0b'));
  EXPECT_THROW(write_mnist_set(MnistSet::kRotated, place.path(), place / "set", 0), FormatError);
  EXPECT_FALSE(fs::exists(place / "set"));
}

TEST(ImageLists, RowsBecomeLinksOfASetLikeAnyOther) {
  TemporaryFolder place;
  const Image picture{2, 2, std::vector<std::uint8_t>(12, 7)};
  for (const char* name : {"a.png", "b.png", "c, d.png", "e.png"}) write_png(place / name, picture);
  write_text(place / "list.csv",
             "y,path,label,domain,split\r\n1,b.png,cat,north,train\n0,\"c, d.png\",dog,north,train\n"
             "0,a.png,dog,south,val\n1,e.png,cat,south,test\n");
  const ImportedList some = import_image_list(place / "list.csv", place / "some", {"train", "val"});
  EXPECT_EQ(some.images, 3);
  EXPECT_EQ(some.of_other_splits, 1);
  EXPECT_EQ(import_image_list(place / "list.csv", place / "all").images, 4);
  const FolderDataset set(place / "all");
  EXPECT_EQ(set.domain_names(), (std::vector<std::string>{"north", "south"}));
  EXPECT_EQ(set.class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(set.size(0), 2);
  EXPECT_EQ(set.image(1, 1), picture);
}

TEST(ImageLists, RowsThatCannotBeTakenAreNamedAndNothingIsMade) {
  TemporaryFolder place;
  write_png(place / "a.png", {1, 1, {1, 2, 3}});
  const auto refused = [&](const std::string& text, const std::string& why) {
    write_text(place / "list.csv", text);
    try {
      import_image_list(place / "list.csv", place / "set");
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
    }
    EXPECT_FALSE(fs::exists(place / "set"));
  };
  refused("path,label\na.png,cat\n", "no column 'domain'");
  refused("path,label,domain\n", "no row");
  refused("path,label,domain\na.png,cat\n", "line 2");
  refused("path,label,domain\na.png,../cat,north\n", "'../cat'");
  refused("path,label,domain\n\nb.png,cat,north\n", "line 3: there is no file");
  refused("path,label,domain\n\"a.png,cat,north\n", "no end");
}

}  // namespace domainfusion
