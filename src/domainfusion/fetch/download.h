#pragma once
// Files over HTTP(S), continued where an earlier try was cut off.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

#include "domainfusion/fetch/http.h"

namespace domainfusion {

struct DownloadOptions {
  std::int64_t fruitless_tries = 4;       // connections in a row that bring no byte before it is given up
  std::int64_t wait_milliseconds = 1000;  // between two of them; doubled each time. A server's Retry-After counts more
  std::int64_t max_bytes = std::int64_t{1} << 40;
  std::string token = {};                                                       // see HttpRequest
  int connections = 4;                                                          // of download_ranges()
  std::int64_t range_bytes = std::int64_t{16} << 20;                            // likewise; each holds one in memory
  std::function<void(std::int64_t done, std::int64_t total)> on_progress = {};  // total 0: not known; may be empty
};

// IoError that names `remedy` unless the disk of `folder`, which is there, has room for so many bytes more, and some
// for its other users.
void check_room(const std::filesystem::path& folder, std::int64_t bytes, const std::string& remedy);

// "5.2 GB", "35 kB", "12 bytes"
std::string bytes_text(std::int64_t bytes);

// How long to go on trying.
class Patience {
 public:
  explicit Patience(const DownloadOptions& options) : options_(options), wait_ms_(options.wait_milliseconds) {}

  // Returns when the next try is due. Throws the error where another try is no use, and IoError where the server asks
  // to wait for more than ten minutes.
  void after(const HttpError& error, bool brought_bytes);

 private:
  const DownloadOptions& options_;
  std::int64_t fruitless_ = 0, wait_ms_;
};

// Brings the bytes of `url` (http, https; redirects followed) into `file`, which appears once it is whole and, where
// `sha256` is given, its SHA-256 begins with these digits. Until then they lie in `file`.part, beside `file`.part.tag
// with the server's ETag, so that a later call continues with a Range request; a server that has another version by
// then, or knows no ranges, sends everything again. IoError that names the URL and the cause: no connection, an HTTP
// status of 400 or more, more bytes than max_bytes, a full disk. FormatError for a wrong hash: what came is removed.
void download(const std::string& url, const std::filesystem::path& file, const DownloadOptions& options = {},
              const std::string& sha256 = {});

// The same with a moving bar, in place of options.on_progress.
void download_shown(const std::string& url, const std::filesystem::path& file, const DownloadOptions& options,
                    const std::string& sha256 = {});

// Brings what `part`, which holds the beginning of the file `url` or is absent, lacks of its `bytes` bytes. Several
// ranges come at once and are appended in their order: whenever it ends, `part` holds the beginning of the file. A
// server that knows no ranges sends everything on one connection. Errors as above; FormatError if the server's file has
// another size. on_progress counts what `part` held already.
void download_ranges(const std::string& url, const std::filesystem::path& part, std::int64_t bytes,
                     const DownloadOptions& options);

}  // namespace domainfusion
