#include "domainfusion/fetch/file_fetch.h"

#include <system_error>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/fetch/http.h"
#include "domainfusion/io/folders/waiting_lock.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

void bring_file(const std::string& url, const fs::path& file, const std::string& sha256,
                const DownloadOptions& options) {
  log_info("{} from {}", file.filename().string(), shown_url(url));
  const std::int64_t bytes = HttpConnection().get({.url = url, .head = true}).total();
  check_room(file.parent_path(), bytes, "choose another folder with TORCH_HOME or HOME");
  download_shown(url, file, options, sha256);
}

}  // namespace

fs::path fetch_file(const KnownWeights& known, const std::vector<std::string>& mirrors,
                    const DownloadOptions& options) {
  const fs::path file = known.cached_file();
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  check<IoError>(!error, "{}: cannot be made: {}", file.parent_path().string(), error.message());
  const WaitingLock lock(file.parent_path() / ".locks" / (known.file_name() + ".lock"), "'" + known.file_name() + "'");
  if (fs::is_regular_file(file)) return file;
  for (const std::string& mirror : mirrors) {
    try {
      bring_file(mirror + (mirror.ends_with('/') ? "" : "/") + known.file_name(), file, known.sha256, options);
      return file;
    } catch (const Error& failed) {
      log_warning("{}; trying the next address", failed.what());
    }
  }
  bring_file(known.url, file, known.sha256, options);
  return file;
}

}  // namespace domainfusion
