#pragma once
// A set on disk in DomainBed's layout: <root>/<domain>/<class>/<image>.

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "domainfusion/config/config_fields.h"
#include "domainfusion/data/domain_dataset.h"

namespace domainfusion {

struct FolderOptions {
  // Decode every image once at the start and leave out those that cannot be decoded.
  bool skip_broken = false;
};

// Domains and classes are folder names in byte order; a domain's images come in the order of torchvision's ImageFolder
// (class by class; inside a class folder by folder, then file name), so that DomainBed's splits mean the same files.
// Classes are the union over the domains. Files with endings of no image, and names that begin with a dot, are left
// out.
class FolderDataset final : public DomainDataset {
 public:
  struct BrokenImage {
    std::string path;   // "<domain>/<class>/<file>"
    std::string cause;  // what decode_image() said
  };

  // IoError: `root` is missing, is no folder, cannot be listed. FormatError: no domain folder, a domain without images,
  // fewer than two classes, a name that is not UTF-8. What is odd but usable (a class that a domain lacks, broken
  // images left out) is warned of.
  explicit FolderDataset(std::filesystem::path root, FolderOptions options = {});

  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::vector<std::string>& domain_names() const override { return domain_names_; }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string image_hash(std::int64_t domain, std::int64_t index) const override;

  const std::filesystem::path& root() const { return root_; }
  // What skip_broken left out, in the order of the set.
  const std::vector<BrokenImage>& broken() const { return broken_; }
  // Sentences about classes that a domain lacks.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  std::filesystem::path path_of(std::int64_t domain, std::int64_t index) const;
  void list_images();
  void check_usable();
  void leave_out_broken();
  // Per image what decoding it says; empty where it is good. Uses all CPUs.
  std::vector<std::string> decoding_errors(std::int64_t domain) const;

  std::filesystem::path root_;
  std::vector<std::string> class_names_, domain_names_;
  std::vector<std::vector<SampleInfo>> samples_;  // [domain][index]
  std::vector<BrokenImage> broken_;
  std::vector<std::string> remarks_;
};

// What the command line and recipes say about the set.
struct DataConfig {
  std::string root;
  bool skip_broken_images = false;
  std::int64_t cache_mb = 2048;
  void describe(ConfigFields& fields);
};

// The folder set behind a cache of decoded images. ConfigError if no root is given; else what FolderDataset throws.
std::shared_ptr<const DomainDataset> open_dataset(const DataConfig& config);

}  // namespace domainfusion
