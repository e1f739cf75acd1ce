#include "domainfusion/data/caches/packed_dataset.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/machine/parallel.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/io/files/atomic_file.h"

namespace domainfusion {

// Pixels of all images, one after the other; then the entries; then the footer.
struct PackedDataset::Entry {
  std::uint64_t offset, checksum;
  std::uint32_t height, width;  // 0: could not be decoded
};

namespace {

namespace fs = std::filesystem;

// Images that are decoded and held before they are written.
constexpr std::size_t kChunk = 256;
constexpr std::uint64_t kFormat = 1;

struct Footer {
  std::uint64_t format, count, pixels_end, entries_checksum, identity_checksum;
};

std::uint64_t checksum(const void* bytes, std::size_t size) { return XXH3_64bits(bytes, size); }

std::uint64_t checksum(const std::string& text) { return checksum(text.data(), text.size()); }

Image decoded_or_empty(const DomainDataset& dataset, std::int64_t domain, std::int64_t index) {
  try {
    return dataset.image(domain, index);
  } catch (const FormatError&) {
    return {};
  }
}

}  // namespace

PackedDataset::PackedDataset(std::shared_ptr<const DomainDataset> dataset, const fs::path& folder,
                             const std::string& identity)
    : WrappedDataset(std::move(dataset)), file_(folder / (identity + ".images")), identity_(identity), first_{0} {
  for (std::int64_t d = 0; d < inner().number_of_domains(); ++d) first_.push_back(first_.back() + inner().size(d));
  if (open()) return;
  std::error_code error;
  fs::create_directories(folder, error);
  check<IoError>(!error, "cache folder {} cannot be made: {}; choose another with data.cache_folder", folder.string(),
                 error.message());
  make();
  check<IoError>(open(), "{}: cannot be read back although it was just written: is the disk failing?", file_.string());
}

bool PackedDataset::open() {
  std::error_code error;
  if (!fs::exists(file_, error)) return false;
  mapped_ = with_context(file_.string(), [&] { return MappedFile(file_); });
  const auto bytes = mapped_.bytes();
  const auto count = static_cast<std::uint64_t>(first_.back());
  Footer footer{};
  if (bytes.size() >= sizeof(footer)) {
    std::memcpy(&footer, bytes.data() + bytes.size() - sizeof(footer), sizeof(footer));
    const std::uint64_t index_bytes = count * sizeof(Entry);
    const bool fits = footer.format == kFormat && footer.count == count &&
                      footer.identity_checksum == checksum(identity_) && footer.pixels_end % alignof(Entry) == 0 &&
                      footer.pixels_end <= bytes.size() &&
                      bytes.size() - footer.pixels_end == index_bytes + sizeof(footer);
    if (fits && checksum(bytes.data() + footer.pixels_end, index_bytes) == footer.entries_checksum) {
      entries_ = reinterpret_cast<const Entry*>(bytes.data() + footer.pixels_end);
      return true;
    }
  }
  log_warning("{}: broken or of another set; it is made anew", file_.string());
  return false;
}

void PackedDataset::make() const {
  AtomicFile file(file_);
  Progress progress("packing", first_.back(), "images");
  std::vector<std::pair<std::int64_t, std::int64_t>> places;
  for (std::int64_t d = 0; d < inner().number_of_domains(); ++d) {
    for (std::int64_t i = 0; i < inner().size(d); ++i) places.emplace_back(d, i);
  }
  std::vector<Entry> entries;
  std::uint64_t offset = 0;
  for (std::size_t begin = 0; begin < places.size(); begin += kChunk) {
    std::vector<Image> images(std::min(kChunk, places.size() - begin));
    parallel_for_each(images.size(), [&](std::size_t i) {
      images[i] = decoded_or_empty(inner(), places[begin + i].first, places[begin + i].second);
    });
    for (const Image& image : images) {
      entries.push_back({offset, checksum(image.rgb.data(), image.rgb.size()), static_cast<std::uint32_t>(image.height),
                         static_cast<std::uint32_t>(image.width)});
      file.write(std::as_bytes(std::span(image.rgb)));
      offset += image.rgb.size();
    }
    progress.update(static_cast<std::int64_t>(begin + images.size()));
  }
  const std::string padding((alignof(Entry) - offset % alignof(Entry)) % alignof(Entry), '\0');
  file.write(padding);
  file.write(std::as_bytes(std::span(entries)));
  const Footer footer{kFormat, entries.size(), offset + padding.size(),
                      checksum(entries.data(), entries.size() * sizeof(Entry)), checksum(identity_)};
  file.write(std::as_bytes(std::span(&footer, 1)));
  file.commit();
  progress.finish(fmt::format("{:.1f} GB in {}", static_cast<double>(offset) * 1e-9, file_.string()));
}

const PackedDataset::Entry& PackedDataset::entry(std::int64_t domain, std::int64_t index) const {
  return entries_[first_.at(static_cast<std::size_t>(domain)) + index];
}

Image PackedDataset::image(std::int64_t domain, std::int64_t index) const {
  check<ConfigError>(index >= 0 && index < inner().size(domain), "image {} of domain {} asked for, it has {}", index,
                     domain, inner().size(domain));
  const Entry& place = entry(domain, index);
  if (place.height == 0) return inner().image(domain, index);
  const auto* pixels = reinterpret_cast<const std::uint8_t*>(mapped_.bytes().data()) + place.offset;
  const std::size_t size = std::size_t{3} * place.height * place.width;
  if (checksum(pixels, size) != place.checksum) {
    log_warning("{}: the pixels of {} are broken; decoded instead. Remove the file to have it made anew",
                file_.string(), info(domain, index).path);
    return inner().image(domain, index);
  }
  return {static_cast<int>(place.height), static_cast<int>(place.width), {pixels, pixels + size}};
}

}  // namespace domainfusion
