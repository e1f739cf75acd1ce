#pragma once
// Files that are either written in full or not at all: temporary file beside the target, fsync, rename.

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

namespace domainfusion {

// What follows the target's name, or the beginning of a very long one, in that of the temporary file; a process that
// was killed leaves it behind.
constexpr std::string_view kPartialFile = ".partial-";
bool is_partial_file(const std::filesystem::path& path);

// A path beside `target` that nobody else has, named as such a file.
std::filesystem::path partial_path(const std::filesystem::path& target);

// A file under construction. Until commit() the target keeps its old content; a writer that is destroyed without
// commit() removes its temporary file. All functions throw IoError that names the path, the cause and the remedy (full
// disk, missing folder, a target that is no regular file).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path target);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  // Flushes to the disk and takes the target's place; nothing may be written afterwards.
  void commit();

 private:
  [[noreturn]] void fail(std::string_view action) const;
  void discard() noexcept;

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  int descriptor_ = -1;
};

// Writes all of `bytes` to `path`, replacing an older regular file. Throws IoError.
void write_file_atomically(const std::filesystem::path& path, std::string_view bytes);

}  // namespace domainfusion
