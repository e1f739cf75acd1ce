#include "domainfusion/io/formats/zip_archive.h"

#include <algorithm>
#include <cstring>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/readable_text.h"

// Field offsets: APPNOTE.TXT of PKWARE, sections 4.3.7 (local header), 4.3.12 (central directory), 4.3.14 to 4.3.16
// (its end).
namespace domainfusion {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::uint32_t kLocalHeader = 0x04034b50, kCentralHeader = 0x02014b50, kEnd = 0x06054b50, kEnd64 = 0x06064b50,
                        kEnd64Locator = 0x07064b50;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kEnd64Bytes = 56, kLocatorBytes = 20;
constexpr std::uint16_t kIn64Bits = 0xffff;
constexpr std::uint32_t kIn64BitsLong = 0xffffffff;

template <class Number>
Number number_at(Bytes bytes, std::uint64_t offset) {
  check<FormatError>(offset <= bytes.size() && sizeof(Number) <= bytes.size() - offset,
                     "its zip directory points outside the file: it is truncated or damaged");
  Number number;
  std::memcpy(&number, bytes.data() + offset, sizeof(Number));
  return number;
}

Bytes part(Bytes bytes, std::uint64_t offset, std::uint64_t size) {
  check<FormatError>(offset <= bytes.size() && size <= bytes.size() - offset,
                     "its zip directory points outside the file: it is truncated or damaged");
  return bytes.subspan(offset, size);
}

struct Directory {
  std::uint64_t entries, size, offset;
};

// The end record is the last of the file but for a comment, whose length it states.
std::uint64_t end_record_offset(Bytes bytes) {
  for (std::uint64_t comment = 0; comment <= 0xffff && kEndBytes + comment <= bytes.size(); ++comment) {
    const std::uint64_t offset = bytes.size() - kEndBytes - comment;
    if (number_at<std::uint32_t>(bytes, offset) == kEnd && number_at<std::uint16_t>(bytes, offset + 20) == comment)
      return offset;
  }
  throw FormatError("is a zip archive without its directory: it is truncated");
}

Directory directory64(Bytes bytes, std::uint64_t end) {
  check<FormatError>(end >= kLocatorBytes && number_at<std::uint32_t>(bytes, end - kLocatorBytes) == kEnd64Locator,
                     "its zip64 directory is missing: it is damaged");
  const auto record = part(bytes, number_at<std::uint64_t>(bytes, end - kLocatorBytes + 8), kEnd64Bytes);
  check<FormatError>(number_at<std::uint32_t>(record, 0) == kEnd64, "its zip64 directory is missing: it is damaged");
  return {number_at<std::uint64_t>(record, 32), number_at<std::uint64_t>(record, 40),
          number_at<std::uint64_t>(record, 48)};
}

Directory find_directory(Bytes bytes) {
  const std::uint64_t end = end_record_offset(bytes);
  Directory found{number_at<std::uint16_t>(bytes, end + 10), number_at<std::uint32_t>(bytes, end + 12),
                  number_at<std::uint32_t>(bytes, end + 16)};
  if (found.entries == kIn64Bits || found.size == kIn64BitsLong || found.offset == kIn64BitsLong)
    found = directory64(bytes, end);
  check<FormatError>(
      found.offset <= end && found.size <= end - found.offset && found.entries <= found.size / kCentralBytes,
      "its zip directory states {} entries in {} bytes at {}, which do not fit the file: it is damaged", found.entries,
      found.size, found.offset);
  return found;
}

struct Located {
  ZipArchive::Entry entry;
  std::uint64_t begin, end;  // of local header and content
};

// Sizes and offset of one entry of the central directory.
struct Placement {
  std::uint64_t content, stored, local;
};

// The zip64 field holds, in this order, those of the three numbers that do not fit 32 bits.
void read_zip64_field(Bytes extra, Placement& placement) {
  while (extra.size() >= 4) {
    const auto id = number_at<std::uint16_t>(extra, 0), size = number_at<std::uint16_t>(extra, 2);
    const Bytes field = part(extra, 4, size);
    std::uint64_t at = 0;
    for (std::uint64_t* number : {&placement.content, &placement.stored, &placement.local}) {
      if (id != 1 || *number != kIn64BitsLong) continue;
      *number = number_at<std::uint64_t>(field, at);
      at += 8;
    }
    extra = extra.subspan(4 + std::size_t{size});
  }
}

Located locate(Bytes bytes, std::uint64_t directory_offset, const ZipArchive::Entry& listed,
               const Placement& placement) {
  const Bytes before = bytes.first(directory_offset);
  const std::string name = readable_text(listed.name);
  check<FormatError>(number_at<std::uint32_t>(before, placement.local) == kLocalHeader,
                     "zip entry '{}': no entry begins where the directory says: it is damaged", name);
  const auto name_bytes = number_at<std::uint16_t>(before, placement.local + 26);
  const auto extra_bytes = number_at<std::uint16_t>(before, placement.local + 28);
  check<FormatError>(text_of(part(before, placement.local + kLocalBytes, name_bytes)) == listed.name,
                     "zip entry '{}' has another name in its own header: it is damaged", name);
  check<FormatError>(listed.method != 0 || placement.content == placement.stored,
                     "zip entry '{}' is stored in {} bytes, but holds {}: it is damaged", name, placement.stored,
                     placement.content);
  const std::uint64_t begin = placement.local + kLocalBytes + name_bytes + extra_bytes;
  Located located{listed, placement.local, begin + placement.stored};
  located.entry.bytes = part(before, begin, placement.stored);
  return located;
}

// The entry of the directory at `offset`, which moves behind it.
Located read_entry(Bytes bytes, const Directory& directory, std::uint64_t& offset) {
  const Bytes all = bytes.subspan(directory.offset, directory.size);
  check<FormatError>(number_at<std::uint32_t>(all, offset) == kCentralHeader, "its zip directory is damaged");
  const auto flags = number_at<std::uint16_t>(all, offset + 8);
  const auto name_bytes = number_at<std::uint16_t>(all, offset + 28),
             extra_bytes = number_at<std::uint16_t>(all, offset + 30),
             comment_bytes = number_at<std::uint16_t>(all, offset + 32);
  Placement placement{number_at<std::uint32_t>(all, offset + 24), number_at<std::uint32_t>(all, offset + 20),
                      number_at<std::uint32_t>(all, offset + 42)};
  const ZipArchive::Entry entry{
      text_of(part(all, offset + kCentralBytes, name_bytes)), {}, number_at<std::uint16_t>(all, offset + 10)};
  read_zip64_field(part(all, offset + kCentralBytes + name_bytes, extra_bytes), placement);
  check<FormatError>((flags & 1) == 0, "zip entry '{}' is encrypted", readable_text(entry.name));
  offset += kCentralBytes + name_bytes + extra_bytes + comment_bytes;
  return locate(bytes, directory.offset, entry, placement);
}

void check_apart(std::vector<Located>& entries) {
  std::sort(entries.begin(), entries.end(), [](const Located& a, const Located& b) { return a.begin < b.begin; });
  for (std::size_t i = 1; i < entries.size(); ++i) {
    check<FormatError>(entries[i - 1].end <= entries[i].begin,
                       "zip entries '{}' and '{}' overlap: it is damaged or hostile",
                       readable_text(entries[i - 1].entry.name), readable_text(entries[i].entry.name));
  }
}

}  // namespace

ZipArchive ZipArchive::parse(Bytes bytes) {
  const Directory directory = find_directory(bytes);
  std::vector<Located> located;
  for (std::uint64_t i = 0, offset = 0; i < directory.entries; ++i)
    located.push_back(read_entry(bytes, directory, offset));
  check_apart(located);
  ZipArchive archive;
  for (const Located& one : located) archive.entries_.push_back(one.entry);
  std::sort(archive.entries_.begin(), archive.entries_.end(),
            [](const Entry& a, const Entry& b) { return a.name < b.name; });
  const auto repeated = std::adjacent_find(archive.entries_.begin(), archive.entries_.end(),
                                           [](const Entry& a, const Entry& b) { return a.name == b.name; });
  check<FormatError>(repeated == archive.entries_.end(), "names the zip entry '{}' twice",
                     repeated == archive.entries_.end() ? "" : readable_text(repeated->name));
  return archive;
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), name,
                                      [](const Entry& e, std::string_view n) { return e.name < n; });
  return found == entries_.end() || found->name != name ? nullptr : &*found;
}

Bytes ZipArchive::stored(std::string_view name) const {
  const Entry* entry = find(name);
  check<FormatError>(entry != nullptr, "has no zip entry '{}': it is damaged", readable_text(name));
  check<FormatError>(
      entry->method == 0,
      "zip entry '{}' is compressed (method {}), which torch.save never does; save the weights again with torch.save",
      readable_text(name), entry->method);
  return entry->bytes;
}

}  // namespace domainfusion
