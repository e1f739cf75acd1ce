#include "domainfusion/io/files/content_hash.h"

#include <gtest/gtest.h>

#include "domainfusion/core/error.h"
#include "temporary_folder.h"

namespace domainfusion {

TEST(ContentHash, Sha256EqualsThePublishedVectors) {
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(ContentHash, AFileHashesLikeItsBytes) {
  const TemporaryFolder folder;
  const std::string bytes(3'000'000, 'x');
  EXPECT_EQ(sha256_hex_of_file(folder.write("a.bin", bytes)), sha256_hex(bytes));
  EXPECT_THROW(sha256_hex_of_file(folder / "missing"), IoError);
  EXPECT_THROW(sha256_hex_of_file(folder.path()), IoError);
}

TEST(ContentHash, Md5EqualsThePublishedVector) {
  const auto digest = md5("abc");  // 900150983cd24fb0d6963f7d28e17f72
  EXPECT_EQ(digest[0], 0x90);
  EXPECT_EQ(digest[1], 0x01);
  EXPECT_EQ(digest[15], 0x72);
}

}  // namespace domainfusion
