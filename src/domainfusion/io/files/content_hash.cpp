#include "domainfusion/io/files/content_hash.h"

#include <openssl/evp.h>

#include <cstring>
#include <memory>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/open_file.h"

namespace domainfusion {
namespace {

class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    check(context_ != nullptr && EVP_DigestInit_ex(context_.get(), kind, nullptr) == 1,
          "OpenSSL does not offer the hash {} (a FIPS-only configuration?)", EVP_MD_get0_name(kind));
  }
  void add(std::string_view bytes) {
    check(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1, "OpenSSL failed while hashing");
  }
  std::vector<std::uint8_t> finish() {
    std::vector<std::uint8_t> bytes(EVP_MAX_MD_SIZE);
    unsigned int size = 0;
    check(EVP_DigestFinal_ex(context_.get(), bytes.data(), &size) == 1, "OpenSSL failed while hashing");
    bytes.resize(size);
    return bytes;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

std::string hex(const std::vector<std::uint8_t>& bytes) { return fmt::format("{:02x}", fmt::join(bytes, "")); }

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  Digest digest(EVP_sha256());
  digest.add(bytes);
  return hex(digest.finish());
}

std::string sha256_hex_of_file(const std::filesystem::path& path) {
  const OpenFile file(path);
  Digest digest(EVP_sha256());
  std::vector<char> block(1 << 20);
  while (const std::size_t count = file.read(block.data(), block.size())) digest.add({block.data(), count});
  return hex(digest.finish());
}

std::uint64_t leading_bits(const std::string& sha256_hex) { return std::stoull(sha256_hex.substr(0, 16), nullptr, 16); }

std::array<std::uint8_t, 16> md5(std::string_view bytes) {
  Digest digest(EVP_md5());
  digest.add(bytes);
  std::array<std::uint8_t, 16> result{};
  std::memcpy(result.data(), digest.finish().data(), result.size());
  return result;
}

}  // namespace domainfusion
