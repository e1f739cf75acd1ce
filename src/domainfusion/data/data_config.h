#pragma once
// What recipes and the command line say about the set, and the set that they mean.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/sets/domain_dataset.h"

namespace domainfusion {

enum class ImageCache { kNone, kMemory, kPacked };

struct DataConfig {
  std::string root;
  std::string exclude;       // see FolderOptions
  std::string descriptions;  // see read_dataset_description()
  bool skip_broken_images = false;
  Alpha alpha = Alpha::kDrop;
  std::int64_t shrink_to_px = 0;  // see ShrunkDataset; 0: images stay as they are
  ImageCache cache = ImageCache::kMemory;
  std::int64_t cache_mb = 2048;
  std::string cache_folder;
  void describe(ConfigFields& fields);

  // cache_folder, or where caches lie by custom: $XDG_CACHE_HOME/domainfusion, ~/.cache/domainfusion. ConfigError if
  // there is no such place.
  std::filesystem::path folder_of_caches() const;
};

// The folder set behind its cache of decoded images, which changes no bit. ConfigError if no root is given or the
// description file does not fit the set; else what FolderDataset and PackedDataset throw.
std::shared_ptr<const DomainDataset> open_dataset(const DataConfig& config, std::size_t fewest_classes = 2);

// One picture with the pixels that it would have in such a set.
Image read_image(const std::filesystem::path& path, const DataConfig& config);

// `images`, which a run has made for itself, behind a memory like that of the set: config.cache_mb, unless the cache is
// "none". Domains before `first_domain` are those of the set itself, which has its memory.
std::shared_ptr<const DomainDataset> kept_in_memory(std::shared_ptr<const DomainDataset> images,
                                                    const DataConfig& config, std::int64_t first_domain = 0);

}  // namespace domainfusion
