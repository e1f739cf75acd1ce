#pragma once
// Brings a set from the network into a folder: downloads archives, checks them, unpacks them, puts domain folders in
// place.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "domainfusion/data/fetch/archive.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/fetch/download.h"

namespace domainfusion {

// One archive and the addresses that are tried in order.
struct FetchSource {
  std::string file_name;
  std::vector<std::string> urls;
  std::string sha256;  // empty: recorded at the first download
};

// From a mirror that ends in '/' come the known archives by their file names, before their own addresses are tried;
// every other mirror is the address of an archive: of a known one where the file name is the same, else of one that
// makes up the set instead. ConfigError if no address is known for a set.
std::vector<FetchSource> fetch_sources(const std::string& set, const std::vector<DatasetArchive>& known,
                                       const std::vector<std::string>& mirrors);

// {"PACS": ["https://…/PACS.zip"], …} -> the mirrors of `set`, spelt in any of the ways of known_dataset(). IoError,
// FormatError.
std::vector<std::string> read_mirrors(const std::filesystem::path& file, const std::string& set);

struct FetchRequest {
  std::vector<FetchSource> sources;
  std::filesystem::path to;               // becomes the set: <domain>/<class>/<image>
  std::vector<std::string> domain_names;  // where known: folders around the domains are left away
  std::string inner;  // folder inside the archives that holds the domains; empty: found by domain_names
  bool keep_archives = false;
  UnpackLimits limits;
  DownloadOptions download;
};

// `to`/.fetch holds archives until they are unpacked, and archives.json with the size and SHA-256 of every archive that
// ever came: a later download that differs is refused. What is done already is not done again; a killed fetch
// continues. IoError, FormatError (wrong hash, hostile archive), ConfigError (a domain folder is there already).
void fetch_dataset(const FetchRequest& request);

}  // namespace domainfusion
