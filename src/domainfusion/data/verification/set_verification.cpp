#include "domainfusion/data/verification/set_verification.h"

#include <map>
#include <mutex>
#include <set>
#include <tuple>

#include "domainfusion/core/error.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

void examine(const std::filesystem::path& root, ExaminedImage& image) {
  const std::string bytes = read_file(root / image.path);
  image.sha256 = sha256_hex(bytes);
  try {
    image.look = fingerprint(decode_image(bytes, image.path));
  } catch (const FormatError& error) {
    image.error = error.what();
  } catch (const std::bad_alloc&) {
    image.error = image.path + ": not enough memory to decode it";
  }
}

}  // namespace

SetManifest SetExamination::manifest() const {
  SetManifest hashes;
  for (const ExaminedImage& image : images) hashes[image.path] = image.sha256;
  return hashes;
}

std::vector<ExaminedImage> SetExamination::unreadable() const {
  std::vector<ExaminedImage> broken;
  for (const ExaminedImage& image : images) {
    if (!image.error.empty()) broken.push_back(image);
  }
  return broken;
}

std::int64_t SetExamination::repeats_inside_domains() const {
  std::set<std::pair<std::int64_t, std::string>> seen;
  std::int64_t repeats = 0;
  for (const ExaminedImage& image : images) repeats += seen.emplace(image.domain, image.sha256).second ? 0 : 1;
  return repeats;
}

std::vector<DomainOverlap> SetExamination::overlaps(const DomainDataset& dataset) const {
  std::map<std::pair<std::int64_t, std::int64_t>, DomainOverlap> found;
  const auto overlap_of = [&](std::size_t i, std::size_t j) -> DomainOverlap& {
    DomainOverlap& overlap = found[{images[i].domain, images[j].domain}];
    overlap.first = dataset.domain_names()[static_cast<std::size_t>(images[i].domain)];
    overlap.second = dataset.domain_names()[static_cast<std::size_t>(images[j].domain)];
    return overlap;
  };
  std::map<std::string, std::vector<std::size_t>> places;
  for (std::size_t i = 0; i < images.size(); ++i) {
    for (const std::size_t other : places[images[i].sha256]) {
      if (images[other].domain != images[i].domain)
        overlap_of(other, i).same_file.emplace_back(images[other].path, images[i].path);
    }
    places[images[i].sha256].push_back(i);
  }
  std::vector<Fingerprint> looks;
  std::vector<std::int64_t> domains;
  for (const ExaminedImage& image : images) {
    looks.push_back(image.look);
    domains.push_back(image.domain);
  }
  for (const auto& [i, j] : near_pairs(looks, domains)) {
    if (images[i].sha256 != images[j].sha256) overlap_of(i, j).near.emplace_back(images[i].path, images[j].path);
  }
  std::vector<DomainOverlap> list;
  for (auto& [domains_, overlap] : found) list.push_back(std::move(overlap));
  return list;
}

SetExamination examine_set(const FolderDataset& dataset, const std::function<void(std::int64_t)>& on_progress) {
  SetExamination examination;
  for (std::int64_t d = 0; d < dataset.number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < dataset.size(d); ++i) {
      ExaminedImage& image = examination.images.emplace_back();
      image.path = dataset.info(d, i).path;
      image.domain = d;
    }
  }
  std::mutex mutex;
  std::int64_t done = 0;
  parallel_for_each(examination.images.size(), [&](std::size_t i) {
    examine(dataset.root(), examination.images[i]);
    const std::lock_guard lock(mutex);
    ++done;
    if (on_progress) on_progress(done);
  });
  return examination;
}

}  // namespace domainfusion
