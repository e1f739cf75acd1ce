// Decoded pixels equal PIL's, bit for bit, over the same codec libraries.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

namespace {

std::string hash_of(const Image& image) {
  return sha256_hex({reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size()});
}

}  // namespace

TEST(ImageParity, EveryFormatAndModeDecodesToThePixelsOfPil) {
  const std::filesystem::path folder = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "parity/decoding";
  const auto expected = nlohmann::json::parse(read_file(folder / "expected.json"));
  EXPECT_GE(expected.size(), 29u);
  for (const auto& [name, facts] : expected.items()) {
    const Image image = read_image(folder / name);
    EXPECT_EQ(image.width, facts["width"]) << name;
    EXPECT_EQ(image.height, facts["height"]) << name;
    EXPECT_EQ(hash_of(image), facts["rgb_sha256"]) << name << ", PIL mode " << facts["mode"];
    const auto on_white = facts.value("white_sha256", facts["rgb_sha256"]);
    EXPECT_EQ(hash_of(read_image(folder / name, Alpha::kWhite)), on_white) << name << " on white";
  }
}

}  // namespace domainfusion
