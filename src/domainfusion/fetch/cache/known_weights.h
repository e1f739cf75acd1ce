#pragma once
// Published weights that the program knows by name (assets/weights.json, compiled in), and where fetched ones lie.
// Nothing here contacts another machine.

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/fetch/cache/hub_cache.h"

namespace domainfusion {

struct KnownWeights {
  std::string name;                         // "sd-turbo"
  std::string what, option;                 // what they are; the option that takes them, empty: none does yet
  std::string size, licence, terms;         // for people
  std::optional<HubRepository> repository;  // on the hub; else
  std::string url;                          // of a file
  std::string sha256;                       // of that file, or its first digits, where published
  std::string cache;                        // whose cache keeps it: "torch", "clip"

  std::string file_name() const;              // what follows the last '/' of the URL
  std::string source() const;                 // "hf:OWNER/NAME" or the URL, for people
  std::filesystem::path cached_file() const;  // of a URL: where that cache has it
  // The file, or the snapshot of the repository's main revision; nothing where it has not been fetched.
  std::optional<std::filesystem::path> fetched() const;
};

// In a fixed order.
const std::vector<KnownWeights>& known_weights();
const KnownWeights* find_known_weights(std::string_view name);  // nullptr if none
// ConfigError that names the nearest.
const KnownWeights& known_weights(std::string_view name);

// What an option for weights means: the file or folder `name` where there is one; else, of known weights ("sd-turbo")
// and models of the hub ("hf:OWNER/NAME"), what was fetched, IoError that names the command where it was not; else
// `name` as it is. The snapshot of a model may lack files: see hub_snapshot().
std::filesystem::path located_weights(const std::filesystem::path& name);

}  // namespace domainfusion
