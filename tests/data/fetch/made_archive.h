#pragma once
// Archives in memory, harmless and hostile.

#include <archive.h>
#include <archive_entry.h>

#include <string>
#include <vector>

namespace domainfusion {

struct ArchiveEntry {
  std::string path, bytes;
  std::string link = {};  // target of a symbolic or hard link
  bool hard_link = false;
  unsigned int kind = AE_IFREG;
};

inline std::string made_archive(const std::vector<ArchiveEntry>& entries, bool zip = false) {
  std::string bytes(std::size_t{1} << 22, '\0');
  std::size_t used = 0;
  archive* writer = archive_write_new();
  if (zip) {
    archive_write_set_format_zip(writer);
  } else {
    archive_write_add_filter_gzip(writer);
    archive_write_set_format_gnutar(writer);
  }
  archive_write_open_memory(writer, bytes.data(), bytes.size(), &used);
  for (const ArchiveEntry& made : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, made.path.c_str());
    archive_entry_set_filetype(entry, made.kind);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(made.bytes.size()));
    if (!made.link.empty() && made.hard_link) archive_entry_set_hardlink(entry, made.link.c_str());
    if (!made.link.empty() && !made.hard_link) archive_entry_set_symlink(entry, made.link.c_str());
    if (archive_write_header(writer, entry) >= ARCHIVE_WARN)
      archive_write_data(writer, made.bytes.data(), made.bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(writer);
  archive_write_free(writer);
  bytes.resize(used);
  return bytes;
}

}  // namespace domainfusion
