#pragma once
// What lies in a candidate store, whether it is whole, and what of it can go.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace domainfusion {

// All functions throw IoError if `store` is no folder, or cannot be read.

// The provenance of every entry, in the order of names; entries whose provenance is no JSON object with a "key"
// that is one are passed over.
void for_each_provenance(const std::filesystem::path& store, const std::function<void(const nlohmann::json&)>& visit);

// Entries that one model made with the same options for the same purpose.
struct StoreGroup {
  std::string purpose;  // "cdga", "round"
  std::string weights_hash;
  nlohmann::json options;
  std::int64_t entries = 0;
  std::int64_t failed = 0;   // of these: without an image
  std::int64_t sources = 0;  // different images or latents that they started from
  std::int64_t bytes = 0;
};
std::vector<StoreGroup> groups_of_store(const std::filesystem::path& store);

// Entries in all, and the provenance files of those that are broken (CandidateStore::State). Hashes all files, on all
// CPUs.
struct StoreVerification {
  std::int64_t entries = 0;
  std::vector<std::filesystem::path> broken;
};
StoreVerification verify_store(const std::filesystem::path& store);

// Files that nobody needs.
struct StoreWaste {
  std::vector<std::filesystem::path> parts;   // of writers that were killed, untouched for an hour
  std::vector<std::filesystem::path> broken;  // of broken entries
  std::vector<std::filesystem::path> unused;  // of entries whose key is not among `used`
  std::int64_t bytes = 0;

  std::vector<std::filesystem::path> files() const;
};
// used: keys of the entries to keep; nothing: all.
StoreWaste waste_of_store(const std::filesystem::path& store, const std::optional<std::set<std::string>>& used);

// The keys in a run's list of candidates (lines with "key"); none if there is no such file. FormatError for another
// one.
std::set<std::string> keys_in_list(const std::filesystem::path& file);

}  // namespace domainfusion
