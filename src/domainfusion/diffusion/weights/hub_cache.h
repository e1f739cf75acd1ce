#pragma once
// The cache of the Hugging Face hub: models--owner--name/{blobs, refs, snapshots}.

#include <filesystem>

namespace domainfusion {

bool is_hub_cache(const std::filesystem::path& folder);  // it has a folder snapshots/

// The folder below snapshots/ that refs/main names; without refs/main the only snapshot, or the latest one. IoError,
// FormatError.
std::filesystem::path hub_snapshot(const std::filesystem::path& folder);

}  // namespace domainfusion
