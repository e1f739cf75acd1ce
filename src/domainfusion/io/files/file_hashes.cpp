#include "domainfusion/io/files/file_hashes.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <sstream>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kSavedEvery{30};

// "<hash>\t<stamp>\t<path>"; a line that is something else is passed over.
bool split_line(const std::string& line, std::string& hash, std::string& stamp, std::string& path) {
  std::istringstream fields(line);
  return std::getline(fields, hash, '\t') && std::getline(fields, stamp, '\t') && std::getline(fields, path) &&
         hash.size() == 64;
}

}  // namespace

std::string file_stamp(const fs::path& file) {
  struct stat status {};
  check<IoError>(::stat(file.c_str(), &status) == 0, "{}: cannot be looked at: {}", file.string(),
                 std::strerror(errno));
  const auto text = [](const timespec& time) { return fmt::format("{}{:09}", time.tv_sec, time.tv_nsec); };
  return fmt::format("{} {} {} {}", status.st_size, text(status.st_mtim), text(status.st_ctim), status.st_ino);
}

FileHashes::FileHashes(fs::path memory) : memory_(std::move(memory)), saved_(std::chrono::steady_clock::now()) {
  std::error_code error;
  if (memory_.empty() || fs::symlink_status(memory_, error).type() == fs::file_type::not_found) return;
  try {
    std::istringstream lines(read_file(memory_));
    std::string hash, stamp, path;
    for (std::string line; std::getline(lines, line);) {
      if (split_line(line, hash, stamp, path)) known_[path] = {stamp, hash};
    }
  } catch (const Error& unreadable) {
    log_info("hashes of files are made anew: {}", unreadable.what());
  }
}

std::string FileHashes::sha256(const fs::path& file) {
  const std::string key = fs::absolute(file).lexically_normal().string();
  const std::string stamp = file_stamp(file);
  {
    const std::lock_guard lock(mutex_);
    const auto known = known_.find(key);
    if (known != known_.end() && known->second.stamp == stamp) return known->second.sha256;
  }
  const std::string hash = sha256_hex_of_file(file);
  const std::lock_guard lock(mutex_);
  known_[key] = {stamp, hash};
  changed_ = true;
  // A process that is killed loses little.
  if (std::chrono::steady_clock::now() - saved_ > kSavedEvery) write();
  return hash;
}

void FileHashes::save() {
  const std::lock_guard lock(mutex_);
  write();
}

void FileHashes::write() {
  if (memory_.empty() || !changed_) return;
  std::string text;
  for (const auto& [path, known] : known_) {
    if (path.find('\n') == std::string::npos) text += fmt::format("{}\t{}\t{}\n", known.sha256, known.stamp, path);
  }
  try {
    fs::create_directories(memory_.parent_path());
    write_file_atomically(memory_, text);
  } catch (const std::exception& error) {
    log_info("hashes of files are not remembered: {}", error.what());
  }
  changed_ = false;
  saved_ = std::chrono::steady_clock::now();
}

}  // namespace domainfusion
