// Decoded pixels equal PIL's, bit for bit, over the same codec libraries.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {

TEST(ImageParity, EveryFormatAndModeDecodesToThePixelsOfPil) {
  const std::filesystem::path folder = std::filesystem::path(DOMAINFUSION_TEST_DIR) / "parity/decoding";
  const auto expected = nlohmann::json::parse(read_file(folder / "expected.json"));
  EXPECT_GE(expected.size(), 15u);
  for (const auto& [name, facts] : expected.items()) {
    const Image image = read_image(folder / name);
    EXPECT_EQ(image.width, facts["width"]) << name;
    EXPECT_EQ(image.height, facts["height"]) << name;
    const std::string_view bytes(reinterpret_cast<const char*>(image.rgb.data()), image.rgb.size());
    EXPECT_EQ(sha256_hex(bytes), facts["rgb_sha256"]) << name << ", PIL mode " << facts["mode"];
  }
}

}  // namespace domainfusion
