#include "domainfusion/data/data_config.h"

#include "domainfusion/data/caches/cached_dataset.h"
#include "domainfusion/data/caches/packed_dataset.h"
#include "domainfusion/data/caches/shrunk_dataset.h"
#include "domainfusion/data/sets/folder_dataset.h"
#include "domainfusion/data/sets/known_datasets.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/folders/user_folders.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

// Empty if there is no such place.
fs::path usual_folder_of_caches() {
  const auto folder = user_cache_folder();
  return folder ? *folder / "domainfusion" : fs::path();
}

// Hashes are remembered whether or not images are: without them each start of a run reads the whole set.
fs::path hash_memory(const DataConfig& config) {
  const fs::path folder = config.cache_folder.empty() ? usual_folder_of_caches() : fs::path(config.cache_folder);
  if (folder.empty()) return {};
  const std::string root = fs::absolute(config.root).lexically_normal().string();
  return folder / ("hashes-" + sha256_hex(root).substr(0, 16) + ".tsv");
}

// Names the pixels of a set: another file, another time of change or another size makes another name.
std::string identity_of(const FolderDataset& folder, const DataConfig& config) {
  std::string text = fmt::format("shrink_to_px {}\nalpha {}\n", config.shrink_to_px, name_of(config.alpha));
  for (std::int64_t d = 0; d < folder.number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < folder.size(d); ++i) {
      text += fmt::format("{} {}\n", file_stamp(folder.path_of(d, i)), folder.info(d, i).path);
    }
  }
  return sha256_hex(text);
}

}  // namespace

void DataConfig::describe(ConfigFields& fields) {
  fields.text("root", root, "folder of the set: <domain>/<class>/<image>");
  fields.text("exclude", exclude, "text file of images to leave out, one <domain>/<class>/<file> a line");
  fields.text(
      "descriptions", descriptions,
      "JSON file with the words for domains and classes in prompts; empty: those of the known set, or the names");
  fields.boolean("skip_broken_images", skip_broken_images,
                 "decode every image once and leave out (count, list) broken ones");
  fields.choice("alpha", alpha, alpha_names(),
                "transparent pictures: the colours under transparent pixels show, as in DomainBed, or white does");
  fields.integer("shrink_to_px", shrink_to_px, {0, 16384},
                 "over 0: larger images are first scaled to this shorter side, which is faster and changes results");
  fields.choice(
      "cache", cache, {{"none", ImageCache::kNone}, {"memory", ImageCache::kMemory}, {"packed", ImageCache::kPacked}},
      "where decoded images are kept: nowhere, in memory, in a mapped file that all runs share; no bit depends on it");
  fields.integer("cache_mb", cache_mb, {0, 1 << 20}, "memory for decoded images, in MiB (cache = memory)");
  fields.text("cache_folder", cache_folder,
              "folder for packed images and for hashes of files; empty: ~/.cache/domainfusion");
}

fs::path DataConfig::folder_of_caches() const {
  const fs::path folder = cache_folder.empty() ? usual_folder_of_caches() : fs::path(cache_folder);
  check<ConfigError>(!folder.empty(),
                     "there is no home folder to keep caches in: name a folder with data.cache_folder");
  return folder;
}

std::shared_ptr<const DomainDataset> open_dataset(const DataConfig& config, std::size_t fewest_classes) {
  check<ConfigError>(!config.root.empty(),
                     "no data folder is given; expected one with <domain>/<class>/<image> below it");
  const FolderOptions options{config.skip_broken_images, config.exclude, config.alpha, fewest_classes,
                              hash_memory(config)};
  const auto folder = std::make_shared<FolderDataset>(config.root, options);
  if (!config.descriptions.empty()) check_descriptions(config.descriptions, *folder);
  std::shared_ptr<const DomainDataset> dataset = folder;
  if (config.shrink_to_px > 0) dataset = std::make_shared<ShrunkDataset>(dataset, config.shrink_to_px);
  if (config.cache == ImageCache::kMemory) return std::make_shared<CachedDataset>(dataset, config.cache_mb << 20);
  if (config.cache == ImageCache::kNone) return dataset;
  return std::make_shared<PackedDataset>(dataset, config.folder_of_caches(), identity_of(*folder, config));
}

std::shared_ptr<const DomainDataset> kept_in_memory(std::shared_ptr<const DomainDataset> images,
                                                    const DataConfig& config, std::int64_t first_domain) {
  if (config.cache == ImageCache::kNone) return images;
  return std::make_shared<CachedDataset>(std::move(images), config.cache_mb << 20, first_domain);
}

Image read_image(const fs::path& path, const DataConfig& config) {
  Image image = read_image(path, config.alpha);
  return config.shrink_to_px > 0 ? shrunk(std::move(image), config.shrink_to_px) : image;
}

}  // namespace domainfusion
