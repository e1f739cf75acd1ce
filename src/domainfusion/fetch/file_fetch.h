#pragma once
// Brings a published file of weights into the cache where the programs that it comes from look for it.

#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/fetch/download.h"

namespace domainfusion {

// Returns known.cached_file(); what is there already is not fetched. From a mirror, the address of a folder, comes the
// file of the same name; mirrors are tried in their order, then the file's own address. Two calls at once take turns.
// Errors as of download(), and IoError if the disk has no room.
std::filesystem::path fetch_file(const KnownWeights& known, const std::vector<std::string>& mirrors,
                                 const DownloadOptions& options);

}  // namespace domainfusion
