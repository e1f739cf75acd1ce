#pragma once
// SHA-256 of files, remembered from one run to the next.

#include <chrono>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>

namespace domainfusion {

// A file is hashed again when its stamp is not that of its last hash. Thread-safe.
class FileHashes {
 public:
  // What was remembered in `memory`, where that is readable; a broken or missing file is as good as none. Empty:
  // nothing is kept.
  explicit FileHashes(std::filesystem::path memory = {});

  // 64 lower-case hexadecimal digits. IoError that names `file`.
  std::string sha256(const std::filesystem::path& file);
  // Writes what is known now, where anything is new, as happens by itself now and then; a folder that cannot be written
  // is no error: hashes are made again then.
  void save();

 private:
  struct Known {
    std::string stamp, sha256;
  };

  void write();  // mutex_ is held

  std::filesystem::path memory_;
  std::mutex mutex_;
  std::map<std::string, Known> known_;  // by absolute path
  bool changed_ = false;
  std::chrono::steady_clock::time_point saved_;
};

// Size, time of writing, time of the last change and number of a file, as text: equal as long as it was neither written
// to nor replaced, also by a file of equal size and time of writing (archives restore that). IoError.
std::string file_stamp(const std::filesystem::path& file);

}  // namespace domainfusion
