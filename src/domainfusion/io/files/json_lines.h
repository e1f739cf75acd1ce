#pragma once
// Files of one JSON object per line: records of runs, manifests of synthetic images. A kill can tear the last line
// only.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace domainfusion {

// Appends lines; each is in the file when write() returns. An existing file is continued; a torn last line (without its
// line end) is cut off first. Not thread-safe.
class JsonLinesWriter {
 public:
  // IoError that names the path: folder missing, not writable.
  explicit JsonLinesWriter(std::filesystem::path path);
  ~JsonLinesWriter();
  JsonLinesWriter(JsonLinesWriter&& other) noexcept;
  JsonLinesWriter(const JsonLinesWriter&) = delete;
  JsonLinesWriter& operator=(const JsonLinesWriter&) = delete;

  // IoError on a full disk; the half-written line is taken back, so that the file still ends with a whole one.
  void write(const nlohmann::json& value);

 private:
  std::filesystem::path path_;
  int file_ = -1;
};

// Every whole line in order; a torn last line is left out. IoError if `path` cannot be read, FormatError that names
// path and line number if a whole line is not JSON.
std::vector<nlohmann::json> read_json_lines(const std::filesystem::path& path);

}  // namespace domainfusion
