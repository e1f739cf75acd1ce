#include "domainfusion/fetch/etag_hash.h"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/open_file.h"

namespace domainfusion {

namespace fs = std::filesystem;

std::string git_hash_of_file(const fs::path& path) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> sha1(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  bool good = sha1 != nullptr && EVP_DigestInit_ex(sha1.get(), EVP_sha1(), nullptr) == 1;
  const OpenFile file(path);
  const std::string head = fmt::format("blob {}", fs::file_size(path));
  good = good && EVP_DigestUpdate(sha1.get(), head.c_str(), head.size() + 1) == 1;  // with the 0 behind it
  std::vector<char> block(1 << 20);
  while (const std::size_t count = file.read(block.data(), block.size()))
    good = good && EVP_DigestUpdate(sha1.get(), block.data(), count) == 1;
  std::vector<std::uint8_t> digest(EVP_MAX_MD_SIZE);
  unsigned int size = 0;
  good = good && EVP_DigestFinal_ex(sha1.get(), digest.data(), &size) == 1;
  check(good, "OpenSSL does not offer the hash SHA-1, which names the hub's small files (a FIPS-only configuration?)");
  digest.resize(size);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string hash_for_etag(const std::string& etag, const fs::path& file) {
  constexpr std::size_t kSha256Digits = 64, kGitDigits = 40;
  if (etag.find_first_not_of("0123456789abcdef") != std::string::npos) return {};
  if (etag.size() == kSha256Digits) return sha256_hex_of_file(file);
  return etag.size() == kGitDigits ? git_hash_of_file(file) : std::string();
}

}  // namespace domainfusion
