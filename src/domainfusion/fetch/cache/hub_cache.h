#pragma once
// The cache of the Hugging Face hub, which programs share: models--OWNER--NAME/{blobs, refs, snapshots}. Files of a
// snapshot are links into blobs/, where a file is named by its ETag; refs/ holds the commits of named revisions.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace domainfusion {

struct HubRepository {
  std::string name;               // "OWNER/NAME"
  std::string revision = "main";  // branch, tag or commit

  std::string text() const;    // "hf:OWNER/NAME", with "@REVISION" where it is not main
  std::string folder() const;  // "models--OWNER--NAME"
};

// Of "hf:OWNER/NAME[@REVISION]"; nothing for what does not begin with "hf:". ConfigError for another form behind it.
std::optional<HubRepository> parse_hub_name(std::string_view text);

bool is_commit(std::string_view revision);  // 40 hexadecimal digits

// $HF_HOME, else $XDG_CACHE_HOME/huggingface, else ~/.cache/huggingface.
std::filesystem::path hub_home();
// $HF_HUB_CACHE, else hub_home()/hub.
std::filesystem::path hub_cache_folder();

bool is_hub_cache(const std::filesystem::path& folder);  // it has a folder snapshots/

// The folder below snapshots/ that refs/main names; without refs/main the latest snapshot that `is_whole` (a download
// may have been interrupted, or asked for some files alone), or the latest one if none is. IoError, FormatError.
std::filesystem::path hub_snapshot(const std::filesystem::path& folder,
                                   const std::function<bool(const std::filesystem::path& snapshot)>& is_whole);

// The snapshot of a repository's revision in the cache `cache`; nothing where it is not there. FormatError for a broken
// file in refs/.
std::optional<std::filesystem::path> find_snapshot(const std::filesystem::path& cache, const HubRepository& repository);

}  // namespace domainfusion
