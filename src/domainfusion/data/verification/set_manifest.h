#pragma once
// The hashes of a set's files, in the format of sha256sum, so that `sha256sum -c` can check them too.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace domainfusion {

// "<domain>/<class>/<file>" -> SHA-256 (64 lower-case hexadecimal digits), in byte order of the paths.
using SetManifest = std::map<std::string, std::string>;

// One line "<hash>  <path>" per file; the file appears whole or not at all. IoError; FormatError for a path with a line
// break.
void write_manifest(const std::filesystem::path& file, const SetManifest& manifest);

// IoError; FormatError that names file and line number.
SetManifest read_manifest(const std::filesystem::path& file);

struct ManifestDifference {
  std::vector<std::string> missing, changed,
      extra;  // paths: in the manifest only, with another hash, not in the manifest
  bool none() const { return missing.empty() && changed.empty() && extra.empty(); }
};
ManifestDifference compare_manifests(const SetManifest& expected, const SetManifest& found);

}  // namespace domainfusion
