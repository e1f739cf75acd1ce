#include "domainfusion/training/records/provenance.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "domainfusion/core/code_version.h"
#include "domainfusion/fetch/cache/known_weights.h"
#include "domainfusion/io/files/content_hash.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kHashedImages = 8;

std::string data_hash(const DomainDataset& dataset, const DomainDataset& source_in) {
  std::string text;
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < dataset.size(d); ++i) text += dataset.info(d, i).path + "\n";
  }
  const std::int64_t domains = source_in.number_of_domains();
  for (std::int64_t n = 0; n < kHashedImages; ++n) {
    const std::int64_t domain = n % domains, index = (n / domains) * source_in.size(domain) / kHashedImages;
    text += source_in.file_hash(domain, index) + "\n";
  }
  return sha256_hex(text);
}

json hash_of_files(const fs::path& path) {
  if (!fs::is_directory(path)) return fs::exists(path) ? json(sha256_hex_of_file(path)) : json();
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(path, fs::directory_options::follow_directory_symlink)) {
    if (entry.is_regular_file() && entry.path().filename() != "lock") {
      files.insert(fmt::format("{} {}", fs::relative(entry.path(), path).string(), entry.file_size()));
    }
  }
  return sha256_hex(fmt::format("{}", fmt::join(files, "\n")));
}

}  // namespace

json provenance_of(const TrainingConfig& config, const DomainDataset& dataset, const DomainDataset& source_in) {
  const std::string& weights = config.classifier.weights;
  return {{"code", code_version()},
          {"data_hash", data_hash(dataset, source_in)},
          {"weights_hash", weights.empty() ? json() : hash_of_files(located_weights(weights))},
          {"ldm_hash", config.ldm.empty() ? json() : hash_of_files(located_weights(config.ldm))}};
}

}  // namespace domainfusion
