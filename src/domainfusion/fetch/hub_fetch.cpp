#include "domainfusion/fetch/hub_fetch.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <system_error>

#include "domainfusion/core/error.h"
#include "domainfusion/core/log.h"
#include "domainfusion/core/progress.h"
#include "domainfusion/fetch/etag_hash.h"
#include "domainfusion/fetch/hub.h"
#include "domainfusion/fetch/needed_files.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"
#include "domainfusion/io/folders/waiting_lock.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelIndex = "model_index.json";
constexpr double kMegabyte = 1e6;

std::int64_t size_or_zero(const fs::path& file) {
  std::error_code none;
  const auto size = fs::file_size(file, none);
  return none ? 0 : static_cast<std::int64_t>(size);
}

class HubFetch {
 public:
  explicit HubFetch(const HubFetchRequest& request)
      : request_(request),
        hub_(request.endpoint, request.download),
        folder_(request.cache / request.repository.folder()),
        locks_(request.cache / ".locks" / request.repository.folder()) {}

  HubFetchResult run() {
    for (const fs::path& made : {folder_ / "blobs", folder_ / "refs", locks_}) make_folder(made);
    listing_ = hub_.list(request_.repository);
    snapshot_ = folder_ / "snapshots" / listing_.commit;
    std::vector<HubFile> files;
    HubFetchResult result{snapshot_};
    for (const std::string& name : chosen_files()) {
      files.push_back(hub_.describe(request_.repository, listing_.commit, name));
      result.bytes += files.back().bytes;
      if (!is_here(files.back())) result.brought += files.back().bytes;
    }
    result.files = files.size();
    log_info("{} at {}: {} files, {}{}", request_.repository.text(), listing_.commit.substr(0, 12), files.size(),
             bytes_text(result.bytes),
             result.brought == 0 ? ", all in the cache already" : ", of which " + bytes_text(result.brought) + " come");
    check_disk(files);
    start_progress(files);
    for (const HubFile& file : files) bring(file);
    if (progress_) progress_->finish();
    write_ref();
    return result;
  }

 private:
  fs::path blob_of(const HubFile& file) const { return folder_ / "blobs" / file.etag; }
  fs::path part_of(const HubFile& file) const { return blob_of(file).string() + ".incomplete"; }
  // Of another size: cut by something else than a fetch; it comes again.
  bool is_here(const HubFile& file) const {
    return fs::is_regular_file(blob_of(file)) && size_or_zero(blob_of(file)) == file.bytes;
  }

  static void make_folder(const fs::path& folder) {
    std::error_code error;
    fs::create_directories(folder, error);
    check<IoError>(!error, "{}: cannot be made: {}; set HF_HOME to another folder", folder.string(), error.message());
  }

  std::vector<std::string> chosen_files() {
    const auto has = [&](const std::string& name) {
      return std::find(listing_.files.begin(), listing_.files.end(), name) != listing_.files.end();
    };
    for (const std::string& file : request_.files) {
      check<ConfigError>(has(file), "{}: it has no file '{}'; its files: {}", request_.repository.text(), file,
                         fmt::join(listing_.files, ", "));
    }
    if (!request_.files.empty()) return request_.files;
    nlohmann::json index;
    if (has(kModelIndex)) {
      bring(hub_.describe(request_.repository, listing_.commit, kModelIndex));
      index = read_json_object(snapshot_ / kModelIndex);
    }
    return with_context(request_.repository.text(),
                        [&] { return needed_files(listing_.files, index, request_.variant); });
  }

  void check_disk(const std::vector<HubFile>& files) const {
    std::int64_t needed = 0;
    for (const HubFile& file : files) {
      if (!is_here(file)) needed += std::max<std::int64_t>(0, file.bytes - size_or_zero(part_of(file)));
    }
    check_room(folder_, needed, "set HF_HOME to a folder on another disk");
  }

  void start_progress(const std::vector<HubFile>& files) {
    brought_ = 0;
    std::int64_t all = 0, done = 0;
    for (const HubFile& file : files) {
      if (is_here(file)) continue;
      all += file.bytes;
      done += std::min(file.bytes, size_or_zero(part_of(file)));
    }
    if (all > 0) progress_ = std::make_unique<Progress>("download", all, "MB", 1 / kMegabyte, done);
  }

  void bring(const HubFile& file) {
    if (!is_here(file)) {
      const WaitingLock lock(locks_ / (file.etag + ".lock"), "'" + file.name + "'");
      if (!is_here(file)) download(file);
      brought_ += file.bytes;
      if (progress_) progress_->update(brought_);
    }
    link(file);
  }

  void download(const HubFile& file) {
    const fs::path part = part_of(file);
    const bool continued = size_or_zero(part) > 0;
    DownloadOptions options = request_.download;
    options.on_progress = [&](std::int64_t done, std::int64_t) {
      if (progress_) progress_->update(brought_ + done, file.name);
    };
    bring_part(file, part, options);
    std::string wrong = wrong_hash(file, part);
    if (!wrong.empty() && continued) {  // what was there may have been another program's
      log_warning("{}; fetching the whole file again", wrong);
      bring_part(file, part, options);
      wrong = wrong_hash(file, part);
    }
    check<FormatError>(wrong.empty(),
                       "{}: it was broken on its way, or the server has another file; nothing of it is kept", wrong);
    std::error_code error;
    fs::rename(part, blob_of(file), error);
    check<IoError>(!error, "{}: cannot be put in place: {}", blob_of(file).string(), error.message());
  }

  void bring_part(const HubFile& file, const fs::path& part, const DownloadOptions& options) {
    hub_.explained(request_.repository, [&] { download_ranges(file.url, part, file.bytes, options); });
  }

  // Empty where the hash is right, or not known. A wrong file is removed.
  static std::string wrong_hash(const HubFile& file, const fs::path& part) {
    const std::string found = hash_for_etag(file.etag, part);
    if (found.empty() || found == file.etag) return {};
    fs::remove(part);
    return fmt::format("{}: hash {}, expected {}", shown_url(file.url), found, file.etag);
  }

  // The snapshot's name for a blob: a relative link, so that the cache may be moved.
  void link(const HubFile& file) const {
    const fs::path place = snapshot_ / file.name;
    const fs::path target = blob_of(file).lexically_relative(place.parent_path());
    make_folder(place.parent_path());
    std::error_code error;
    if (fs::read_symlink(place, error) == target) return;
    const fs::path made = partial_path(place);
    fs::create_symlink(target, made, error);
    if (!error) fs::rename(made, place, error);
    check<IoError>(!error, "{}: cannot be linked to its blob: {}; set HF_HOME to a folder on a disk that knows links",
                   place.string(), error.message());
  }

  void write_ref() const {
    const std::string& revision = request_.repository.revision;
    if (revision == listing_.commit) return;
    const fs::path ref = folder_ / "refs" / revision;
    make_folder(ref.parent_path());
    write_file_atomically(ref, listing_.commit);
  }

  const HubFetchRequest& request_;
  Hub hub_;
  fs::path folder_, locks_, snapshot_;
  HubListing listing_;
  std::unique_ptr<Progress> progress_;
  std::int64_t brought_ = 0;
};

}  // namespace

HubFetchResult fetch_from_hub(const HubFetchRequest& request) {
  try {
    return HubFetch(request).run();
  } catch (const fs::filesystem_error& error) {
    throw IoError(fmt::format("{}; check the folder and the disk", error.what()));
  }
}

}  // namespace domainfusion
