#pragma once
// Reads every file of a folder set once: its hash, whether it decodes, and what it looks like.

#include <functional>
#include <string>
#include <vector>

#include "domainfusion/data/sets/folder_dataset.h"
#include "domainfusion/data/verification/perceptual_hash.h"
#include "domainfusion/data/verification/set_manifest.h"

namespace domainfusion {

struct ExaminedImage {
  std::string path;  // "<domain>/<class>/<file>"
  std::int64_t domain = 0;
  std::string sha256;
  std::string error;  // why it cannot be decoded; empty where it can
  Fingerprint look;
};

// Pictures that lie in two domains.
struct DomainOverlap {
  using Pair = std::pair<std::string, std::string>;  // paths, in the order of the domains
  std::string first, second;                         // domain names
  std::vector<Pair> same_file;                       // equal bytes
  std::vector<Pair> near;                            // near fingerprints, other bytes
};

struct SetExamination {
  std::vector<ExaminedImage> images;  // in the order of the set
  SetManifest manifest() const;
  std::vector<ExaminedImage> unreadable() const;
  // Files whose bytes another file of the same domain has too.
  std::int64_t repeats_inside_domains() const;
  // One entry per pair of domains that share pictures.
  std::vector<DomainOverlap> overlaps(const DomainDataset& dataset) const;
};

// On all CPUs; on_progress(images done) may be empty and is called from one thread at a time. IoError if a file cannot
// be read.
SetExamination examine_set(const FolderDataset& dataset, const std::function<void(std::int64_t)>& on_progress = {});

}  // namespace domainfusion
