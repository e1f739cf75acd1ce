#include "domainfusion/io/images/image.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/images/webp_writer.h"
#include "temporary_folder.h"

namespace domainfusion {
namespace {

const std::filesystem::path kPictures = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "parity/decoding";

Image gradient(int height, int width) {
  Image image{height, width, {}};
  for (int i = 0; i < 3 * height * width; ++i) image.rgb.push_back(static_cast<std::uint8_t>(i * 7));
  return image;
}

std::string decode_error(std::string_view bytes) {
  return message_of<FormatError>([&] { decode_image(bytes, "dog.jpg"); });
}

void put_u32(std::string& bytes, std::size_t at, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes[at + static_cast<std::size_t>(i)] = static_cast<char>(value >> (24 - 8 * i));
}

}  // namespace

TEST(Image, PngGoesOutAndComesBack) {
  const TemporaryFolder folder;
  for (const auto& [height, width] : {std::pair{1, 1}, {7, 5}, {64, 64}}) {
    const Image image = gradient(height, width);
    write_png(folder / "a.png", image);
    EXPECT_EQ(read_image(folder / "a.png"), image);
  }
}

TEST(Image, TheContentDecidesNotTheFileName) {
  const TemporaryFolder folder;
  const auto path = folder.write("not_really.jpg", read_file(kPictures / "rgb.png"));
  EXPECT_EQ(read_image(path), read_image(kPictures / "rgb.png"));
}

TEST(Image, BadFilesAreErrorsThatNameFileAndCause) {
  EXPECT_EQ(decode_error(""), "dog.jpg: the image has 0 bytes");
  EXPECT_NE(decode_error("<html>not found</html>").find("dog.jpg: not a JPEG, PNG, WebP or GIF image"),
            std::string::npos);
  EXPECT_NE(decode_error("BM....").find("its content looks BMP"), std::string::npos);
  const TemporaryFolder folder;
  EXPECT_NE(message_of<IoError>([&] { read_image(folder / "none.png"); }).find("none.png"), std::string::npos);
}

TEST(Image, ACutFileIsAnErrorOrGivesThePixelsOfTheWhole) {
  for (const char* name : {"rgb.png", "rgb.jpg", "progressive.jpg", "cmyk.jpg", "lossy.webp", "lossless_alpha.webp",
                           "animated.webp", "interlaced.gif", "large.gif"}) {
    const std::string bytes = read_file(kPictures / name);
    const Image whole = decode_image(bytes, name);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      try {
        const Image image = decode_image(std::string_view(bytes).substr(0, size), name);
        EXPECT_TRUE(image == whole) << name << " cut to " << size << " of " << bytes.size();
      } catch (const FormatError& error) {
        EXPECT_NE(std::string(error.what()), "");
      }
    }
    EXPECT_NE(decode_error(std::string_view(bytes).substr(0, bytes.size() / 3)).find("broken"), std::string::npos)
        << name;
  }
}

TEST(Image, OnlyTheEndMarkMayBeMissing) {
  for (const auto& [name, mark] : {std::pair{"rgb.jpg", 2}, {"progressive.jpg", 2}, {"grey.jpg", 2}, {"rgb.png", 12}}) {
    const std::string bytes = read_file(kPictures / name);
    const std::string_view cut = std::string_view(bytes).substr(0, bytes.size() - mark);
    EXPECT_TRUE(decode_image(cut, name) == decode_image(bytes, name)) << name;
    const std::string error = decode_error(cut.substr(0, cut.size() * 3 / 4));
    EXPECT_NE(error.find("cut off"), std::string::npos) << name << ": " << error;
  }
}

TEST(Image, WhatFollowsTheLastPixelMayBeBroken) {
  std::string png = read_file(kPictures / "rgb.png");
  png.insert(png.size() - 12, std::string("\0\0\0\4tEXt", 8) + "a\0bc" + "bad!");
  EXPECT_TRUE(decode_image(png, "a.png") == read_image(kPictures / "rgb.png"));
}

TEST(Image, FlippedBytesNeverCrash) {
  for (const char* name : {"rgb.png", "palette4.png", "rgb.jpg", "progressive.jpg", "cmyk.jpg", "lossy.webp",
                           "animated.webp", "transparent.gif", "interlaced.gif"}) {
    const std::string good = read_file(kPictures / name);
    for (std::size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ 0xff);
      try {
        const Image image = decode_image(bad, name);
        EXPECT_EQ(image.rgb.size(), std::size_t{3} * static_cast<std::size_t>(image.height) * image.width);
      } catch (const FormatError&) {
      }
    }
  }
}

TEST(Image, HugeDeclaredSizesAreRefusedBeforeMemoryIsTaken) {
  std::string png = read_file(kPictures / "rgb.png");
  put_u32(png, 16, 2'000'000'000);
  put_u32(png, 20, 2'000'000'000);
  // The checksum of the changed header is wrong as well: either cause is good, memory is not taken.
  EXPECT_NE(decode_error(png), "no error");
  std::string jpeg = read_file(kPictures / "rgb.jpg");
  const std::size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  for (std::size_t i = 5; i < 9; ++i) jpeg[frame + i] = static_cast<char>(0xfd);
  EXPECT_NE(decode_error(jpeg).find("more than the 100000000 allowed"), std::string::npos) << decode_error(jpeg);
}

TEST(Image, AnImageWhoseBytesDoNotFitItsSizeIsNotWritten) {
  EXPECT_THROW(encode_png(Image{2, 2, std::vector<std::uint8_t>(11)}), ShapeError);
  EXPECT_THROW(encode_png(Image{}), ShapeError);
}

TEST(Image, AWebpFileShowsThePicture) {
  const Image plain{6, 9, std::vector<std::uint8_t>(6 * 9 * 3, 120)};
  const Image read = decode_image(encode_webp(plain), "a picture");
  EXPECT_EQ(read.height, 6);
  EXPECT_EQ(read.width, 9);
  for (const std::uint8_t byte : read.rgb) EXPECT_NEAR(byte, 120, 3);
  EXPECT_EQ(encode_webp(plain), encode_webp(plain));
  EXPECT_THROW(encode_webp(Image{2, 2, std::vector<std::uint8_t>(11)}), ShapeError);
  EXPECT_THROW(encode_webp(Image{}), ShapeError);
}

TEST(Image, AFullDiskIsAnErrorThatNamesThePath) {
  EXPECT_NE(message_of<IoError>([] { write_png("/dev/full", gradient(2, 2)); }).find("/dev/full"), std::string::npos);
}

}  // namespace domainfusion
