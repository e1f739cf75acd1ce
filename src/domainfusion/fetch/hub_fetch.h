#pragma once
// Brings a model from the hub into the cache that programs share.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "domainfusion/fetch/cache/hub_cache.h"
#include "domainfusion/fetch/download.h"

namespace domainfusion {

struct HubFetchRequest {
  HubRepository repository;
  std::string variant;             // "fp16"; empty: full precision where there is one
  std::vector<std::string> files;  // these alone; empty: see needed_files()
  std::string endpoint;            // as hub_endpoint()
  std::filesystem::path cache;     // as hub_cache_folder()
  DownloadOptions download;        // with the token for this endpoint
};

struct HubFetchResult {
  std::filesystem::path snapshot;
  std::size_t files = 0;
  std::int64_t bytes = 0, brought = 0;  // of all files; of those that were not in the cache
};

// Asks the hub which files make up the model, whether the disk has room for what the cache lacks, and downloads that. A
// file comes as blobs/ETAG.incomplete, which is at any time its beginning, and gets its name when its
// size is right and its hash is the ETag's (SHA-256, or git's); then the snapshot gets its link, and when all are
// there, refs/ its revision. Whatever ends it, the same call continues. Two calls at once take turns, file by file.
// IoError, FormatError (another hash, an answer that is not the hub's), ConfigError (see needed_files()).
HubFetchResult fetch_from_hub(const HubFetchRequest& request);

}  // namespace domainfusion
