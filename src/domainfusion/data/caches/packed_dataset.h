#pragma once
// Decoded images of a set in one memory-mapped file, so that no run but the first decodes them.

#include <filesystem>
#include <memory>
#include <string>

#include "domainfusion/data/sets/wrapped_dataset.h"
#include "domainfusion/io/files/mapped_file.h"

namespace domainfusion {

// Images are kept in their own size, so that batches equal those of the set to the bit. The file is named after
// `identity`, which must change whenever a picture does. It appears whole or not at all, so that several processes may
// make it at once. One that is cut off or of another identity is made anew; a picture whose bytes do not have their
// checksum (xxHash) is decoded instead, with a warning. Pictures that cannot be decoded are not held: asking for one
// throws what the set throws.
class PackedDataset final : public WrappedDataset {
 public:
  // Makes `folder`/<identity>.images where it is missing or unusable, on all CPUs. IoError: no such folder and none can
  // be made, a full disk.
  PackedDataset(std::shared_ptr<const DomainDataset> dataset, const std::filesystem::path& folder,
                const std::string& identity);

  Image image(std::int64_t domain, std::int64_t index) const override;

  const std::filesystem::path& file() const { return file_; }

 private:
  struct Entry;

  bool open();
  void make() const;
  const Entry& entry(std::int64_t domain, std::int64_t index) const;

  std::filesystem::path file_;
  std::string identity_;
  std::vector<std::int64_t> first_;  // place of each domain's first image; one more at the end
  MappedFile mapped_;
  const Entry* entries_ = nullptr;  // in mapped_
};

}  // namespace domainfusion
