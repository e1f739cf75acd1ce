#include "domainfusion/data/verification/set_manifest.h"

#include <algorithm>
#include <sstream>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

constexpr std::size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
  return text.size() == kHashDigits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void write_manifest(const std::filesystem::path& file, const SetManifest& manifest) {
  std::string text;
  for (const auto& [path, hash] : manifest) {
    check<FormatError>(path.find_first_of("\n\r\\") == std::string::npos,
                       "'{}': a name with a line break or a backslash has no place in a manifest; rename the file",
                       path);
    text += fmt::format("{}  {}\n", hash, path);
  }
  write_file_atomically(file, text);
}

SetManifest read_manifest(const std::filesystem::path& file) {
  SetManifest manifest;
  std::istringstream lines(read_file(file));
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    check<FormatError>(line.size() > kHashDigits + 2 && is_hash(line.substr(0, kHashDigits)) &&
                           line[kHashDigits] == ' ' && (line[kHashDigits + 1] == ' ' || line[kHashDigits + 1] == '*'),
                       "{}, line {}: expected '<SHA-256>  <path>', as sha256sum and `data verify --write` make it",
                       file.string(), number);
    manifest[line.substr(kHashDigits + 2)] = line.substr(0, kHashDigits);
  }
  return manifest;
}

ManifestDifference compare_manifests(const SetManifest& expected, const SetManifest& found) {
  ManifestDifference difference;
  for (const auto& [path, hash] : expected) {
    const auto here = found.find(path);
    if (here == found.end()) {
      difference.missing.push_back(path);
    } else if (here->second != hash) {
      difference.changed.push_back(path);
    }
  }
  for (const auto& [path, hash] : found) {
    if (!expected.contains(path)) difference.extra.push_back(path);
  }
  return difference;
}

}  // namespace domainfusion
