#pragma once
// SHA-256 of files, remembered from one run to the next.

#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace domainfusion {

// A file is hashed again when its size or time of change is not that of its last hash. Thread-safe.
class FileHashes {
 public:
  // What was remembered in `memory`, where that is readable; a broken or missing file is as good as none. Empty:
  // nothing is kept.
  explicit FileHashes(std::filesystem::path memory = {});

  // 64 lower-case hexadecimal digits. IoError that names `file`.
  std::string sha256(const std::filesystem::path& file);
  // Writes what is known now, where anything is new; a folder that cannot be written is no error: hashes are made again
  // then.
  void save();

 private:
  struct Known {
    std::string stamp, sha256;  // "<bytes> <nanoseconds>"
  };

  std::filesystem::path memory_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by absolute path
  bool changed_ = false;
};

// Size and time of the last change of a file, as text: equal as long as it was not written to. IoError.
std::string file_stamp(const std::filesystem::path& file);

}  // namespace domainfusion
