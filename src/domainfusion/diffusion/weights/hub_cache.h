#pragma once
// The cache of the Hugging Face hub: models--owner--name/{blobs, refs, snapshots}.

#include <filesystem>
#include <functional>

namespace domainfusion {

bool is_hub_cache(const std::filesystem::path& folder);  // it has a folder snapshots/

// The folder below snapshots/ that refs/main names; without refs/main the latest snapshot that `is_whole` (a download
// may have been interrupted, or asked for some files alone), or the latest one if none is. IoError, FormatError.
std::filesystem::path hub_snapshot(const std::filesystem::path& folder,
                                   const std::function<bool(const std::filesystem::path& snapshot)>& is_whole);

}  // namespace domainfusion
