#pragma once
// The hashes by which the hub names contents in ETags.

#include <filesystem>
#include <string>

namespace domainfusion {

// The hash that git gives a file of this content, a SHA-1: 40 lower-case hexadecimal digits. IoError that names the
// path. Not for anything that must resist an attacker.
std::string git_hash_of_file(const std::filesystem::path& file);

// The file's hash in the form of `etag`: SHA-256 for 64 hexadecimal digits, git's for 40; empty where the ETag is no
// hash of the content.
std::string hash_for_etag(const std::string& etag, const std::filesystem::path& file);

}  // namespace domainfusion
