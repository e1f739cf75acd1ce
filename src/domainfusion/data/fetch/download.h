#pragma once
// One file over HTTP(S), continued where an earlier try was cut off.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

namespace domainfusion {

struct DownloadOptions {
  std::int64_t fruitless_tries = 4;       // connections in a row that bring no byte before it is given up
  std::int64_t wait_milliseconds = 1000;  // between two of them; doubled each time
  std::int64_t max_bytes = std::int64_t{1} << 40;
  std::function<void(std::int64_t done, std::int64_t total)> on_progress;  // total 0: not known; may be empty
};

// Brings the bytes of `url` (http, https; redirects followed) into `file`, which appears once it is whole. Until then
// they lie in `file`.part, beside `file`.part.tag with the server's ETag, so that a later call continues with a Range
// request; a server that has another version by then, or knows no ranges, sends everything again. IoError that names
// the URL and the cause: no connection, an HTTP status of 400 or more, more bytes than max_bytes, a full disk.
void download(const std::string& url, const std::filesystem::path& file, const DownloadOptions& options = {});

}  // namespace domainfusion
