#pragma once
// A set on disk in DomainBed's layout: <root>/<domain>/<class>/<image>.

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "domainfusion/data/sets/domain_dataset.h"
#include "domainfusion/io/files/file_hashes.h"

namespace domainfusion {

struct FolderOptions {
  // Decode every image once at the start and leave out those that cannot be decoded.
  bool skip_broken = false;
  // A text file with one "<domain>/<class>/<file>" a line (DomainBed's domain_net_duplicates.txt, say): these images
  // are not part of the set. Empty: none.
  std::filesystem::path exclude = {};
  Alpha alpha = Alpha::kDrop;
  std::size_t fewest_classes = 2;  // with fewer it is refused
  // A file in which file_hash() remembers what it found (FileHashes). Empty: nothing is remembered.
  std::filesystem::path hash_memory = {};
};

// Domains and classes are folder names in byte order; a domain's images come in the order of torchvision's ImageFolder
// (class by class; inside a class folder by folder, then file name), so that DomainBed's splits mean the same files.
// Classes are the union over the domains, but for those without an image in any. What is no picture, hidden or of the
// system (entries_of, is_picture) is passed over.
class FolderDataset final : public DomainDataset {
 public:
  struct BrokenImage {
    std::string path;   // "<domain>/<class>/<file>"
    std::string cause;  // what decode_image() said
  };

  // IoError: `root` is missing, is no folder, cannot be listed; the exclusion list cannot be read. FormatError: no
  // domain folder, a domain without images, too few classes, a name that is not UTF-8. What is odd but usable (see
  // remarks(); broken images left out) is warned of.
  explicit FolderDataset(std::filesystem::path root, FolderOptions options = {});
  ~FolderDataset() override { hashes_->save(); }
  FolderDataset(const FolderDataset&) = delete;
  FolderDataset& operator=(const FolderDataset&) = delete;

  const std::vector<std::string>& class_names() const override { return class_names_; }
  const std::vector<std::string>& domain_names() const override { return domain_names_; }
  std::int64_t size(std::int64_t domain) const override;
  const SampleInfo& info(std::int64_t domain, std::int64_t index) const override;
  Image image(std::int64_t domain, std::int64_t index) const override;
  std::string file_hash(std::int64_t domain, std::int64_t index) const override;
  std::string pixel_identity(std::int64_t domain, std::int64_t index) const override;

  // Where an image lies, below root().
  std::filesystem::path path_of(std::int64_t domain, std::int64_t index) const;
  const std::filesystem::path& root() const { return root_; }
  // What skip_broken left out, in the order of the set.
  const std::vector<BrokenImage>& broken() const { return broken_; }
  // Images that the exclusion list took away.
  std::int64_t excluded() const { return excluded_; }
  // Sentences about what was passed over, classes without images, in one domain or in all, and names that differ in
  // nothing but case or Unicode form.
  const std::vector<std::string>& remarks() const { return remarks_; }

 private:
  void list_images(const std::set<std::string>& left_out);
  void check_usable(std::size_t fewest_classes);
  void leave_out_broken();
  void leave_out_empty_classes();
  void remark(std::string sentence);
  // Per image what decoding it says; empty where it is good. Uses all CPUs.
  std::vector<std::string> decoding_errors(std::int64_t domain) const;

  std::filesystem::path root_;
  Alpha alpha_;
  std::unique_ptr<FileHashes> hashes_;
  std::vector<std::string> class_names_, domain_names_;
  std::vector<std::vector<SampleInfo>> samples_;  // [domain][index]
  std::vector<BrokenImage> broken_;
  std::int64_t excluded_ = 0;
  std::vector<std::string> remarks_;
};

}  // namespace domainfusion
