#pragma once
// A set of labelled images in several domains: what every later stage reads, whether files, a procedural set or images
// made by the diffusion model stand behind it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "domainfusion/io/images/image.h"

namespace domainfusion {

struct SampleInfo {
  std::string path;         // "<domain>/<class>/<file>", relative to the set, with '/'
  std::int64_t label = 0;   // index into class_names()
  std::int64_t domain = 0;  // index into domain_names()
};

// Indices run from 0; a domain's index is its place in the sorted list of ALL domains of the set, also when only some
// are used.
class DomainDataset {
 public:
  virtual ~DomainDataset() = default;

  virtual const std::vector<std::string>& class_names() const = 0;
  virtual const std::vector<std::string>& domain_names() const = 0;
  // Number of images of a domain.
  virtual std::int64_t size(std::int64_t domain) const = 0;
  virtual const SampleInfo& info(std::int64_t domain, std::int64_t index) const = 0;
  // The whole picture in its own size. Thread-safe. IoError or FormatError that names the file.
  virtual Image image(std::int64_t domain, std::int64_t index) const = 0;
  // SHA-256 (64 hexadecimal digits) of the picture's file; a picture that is no file counts as the PNG that
  // encode_png() makes. Thread-safe.
  virtual std::string file_hash(std::int64_t domain, std::int64_t index) const;
  // Changes whenever image() gives other pixels: the file's hash and, after it, what was done to its pixels. Whatever
  // is made of pixels (curves, candidates, translations) is named by it; what names files (guards, provenance) is not.
  // Fit for a file's name. Thread-safe.
  virtual std::string pixel_identity(std::int64_t domain, std::int64_t index) const { return file_hash(domain, index); }

  std::int64_t number_of_classes() const { return static_cast<std::int64_t>(class_names().size()); }
  std::int64_t number_of_domains() const { return static_cast<std::int64_t>(domain_names().size()); }
  // Index of a domain by name. ConfigError that names the nearest and lists all when there is none.
  std::int64_t domain_index(std::string_view name) const;
  // The same for several names; ConfigError also when a name comes twice.
  std::vector<std::int64_t> domain_indices(const std::vector<std::string>& names) const;
};

// ConfigError unless the set has at least `count` domains; `purpose` ("training with a held-out domain") stands in the
// message.
void require_domains(const DomainDataset& dataset, std::int64_t count, std::string_view purpose);

}  // namespace domainfusion
