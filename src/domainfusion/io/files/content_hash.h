#pragma once
// Hashes of contents: SHA-256 names images and weights; MD5 exists for DomainBed's seeds alone.

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace domainfusion {

// 64 lower-case hexadecimal digits.
std::string sha256_hex(std::string_view bytes);

// The same over a file's bytes, read in blocks, so that large weight files need no memory. IoError that names the path.
std::string sha256_hex_of_file(const std::filesystem::path& path);

// The first 64 bits of such a hash, as the id of a random stream.
std::uint64_t leading_bits(const std::string& sha256_hex);

// The 16 bytes of MD5, first digit pair first. Not for anything that must resist an attacker.
std::array<std::uint8_t, 16> md5(std::string_view bytes);

}  // namespace domainfusion
