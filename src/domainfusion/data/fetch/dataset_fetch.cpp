#include "domainfusion/data/fetch/dataset_fetch.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/content_hash.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// Folders, in byte order.
std::vector<fs::path> folders_in(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

bool holds_domain(const fs::path& folder, const std::vector<std::string>& domain_names) {
  const std::vector<fs::path> folders = folders_in(folder);
  return std::any_of(folders.begin(), folders.end(), [&](const fs::path& inner) {
    const std::string found = inner.filename().string();
    return std::any_of(domain_names.begin(), domain_names.end(),
                       [&](const std::string& name) { return is_same_name(name, found); });
  });
}

class Fetch {
 public:
  explicit Fetch(const FetchRequest& request)
      : request_(request), work_(request.to / ".fetch"), record_file_(work_ / "archives.json") {
    std::error_code error;
    fs::create_directories(work_ / "archives", error);
    check<IoError>(!error, "{}: cannot be made: {}", work_.string(), error.message());
    if (fs::exists(record_file_)) record_ = read_json(record_file_);
  }

  void run(const FetchSource& source) {
    json& entry = record_[source.file_name];
    if (entry.is_object() && entry.value("unpacked", false)) {
      log_info("{}: unpacked already", source.file_name);
      return;
    }
    const fs::path archive = work_ / "archives" / source.file_name;
    if (!fs::exists(archive)) bring(source, archive);
    check_archive(source, archive, entry);
    unpack(archive, entry);
    entry["unpacked"] = true;
    write_record();
    if (!request_.keep_archives) fs::remove(archive);
  }

 private:
  void write_record() const { write_file_atomically(record_file_, json_text(record_, 2) + "\n"); }

  void bring(const FetchSource& source, const fs::path& archive) {
    for (std::size_t i = 0; i < source.urls.size(); ++i) {
      try {
        log_info("{} from {}", source.file_name, source.urls[i]);
        return download_shown(source.urls[i], archive, request_.download);
      } catch (const IoError& error) {
        if (i + 1 == source.urls.size()) throw;
        log_warning("{}; trying the next address", error.what());
      }
    }
  }

  void check_archive(const FetchSource& source, const fs::path& archive, json& entry) {
    const std::string found = sha256_hex_of_file(archive);
    const auto bytes = static_cast<std::int64_t>(fs::file_size(archive));
    const std::string before = entry.is_object() ? entry.value("sha256", "") : "";
    const std::string expected = source.sha256.empty() ? before : source.sha256;
    if (!expected.empty() && found != expected) {
      // Kept out of the way of the next try.
      fs::rename(archive, archive.string() + ".wrong");
      throw FormatError(fmt::format("{}: SHA-256 {} ({} bytes), expected {}{}; the file is kept as {}.wrong",
                                    source.file_name, found, bytes, expected,
                                    source.sha256.empty() ? " as at the first download" : "", source.file_name));
    }
    if (expected.empty())
      log_info("{}: {} bytes, SHA-256 {}: recorded, as none is known", source.file_name, bytes, found);
    entry["sha256"] = found;
    entry["bytes"] = bytes;
    write_record();
  }

  void unpack(const fs::path& archive, json& entry) {
    const fs::path folder = work_ / "unpacked";
    fs::remove_all(folder);
    fs::create_directories(folder);
    const std::int64_t files = unpack_archive(archive, folder, request_.limits);
    put_in_place(folder_of_domains(folder), entry);
    fs::remove_all(folder);
    log_info("{}: {} files unpacked", archive.filename().string(), files);
  }

  fs::path folder_of_domains(const fs::path& folder) const {
    if (!request_.inner.empty()) {
      const fs::path inner = folder / request_.inner;
      check<ConfigError>(fs::is_directory(inner), "--inner {}: the archive holds no such folder", request_.inner);
      return inner;
    }
    const std::vector<std::string>& names = request_.domain_names;
    fs::path root = folder;
    while (!holds_domain(root, names) && folders_in(root).size() == 1) root = folders_in(root).front();
    return holds_domain(root, names) ? root : folder;
  }

  void put_in_place(const fs::path& from, json& entry) {
    const std::vector<fs::path> folders = folders_in(from);
    check<FormatError>(!folders.empty(), "the archive holds no folder; expected <domain>/<class>/<image>");
    // What an earlier call, killed amid the renames, has put there is put there again.
    const bool again = entry.value("placing", false);
    for (const fs::path& folder : folders) {
      const fs::path target = request_.to / folder.filename();
      check<ConfigError>(again || !fs::exists(target),
                         "{} is there already: remove it, or choose another folder with --to", target.string());
    }
    entry["placing"] = true;
    write_record();
    for (const fs::path& folder : folders) {
      fs::remove_all(request_.to / folder.filename());
      fs::rename(folder, request_.to / folder.filename());
    }
    entry.erase("placing");
  }

  const FetchRequest& request_;
  fs::path work_, record_file_;
  json record_ = json::object();
};

}  // namespace

std::vector<FetchSource> fetch_sources(const std::string& set, const std::vector<DatasetArchive>& known,
                                       const std::vector<std::string>& mirrors) {
  std::vector<FetchSource> sources, own;
  for (const DatasetArchive& archive : known) sources.push_back({archive.file_name(), {}, archive.sha256});
  for (const std::string& mirror : mirrors) {
    const std::string name = DatasetArchive{mirror, {}}.file_name();
    if (name.empty()) {
      for (FetchSource& source : sources) source.urls.push_back(mirror + source.file_name);
      continue;
    }
    const auto same =
        std::find_if(sources.begin(), sources.end(), [&](const auto& source) { return source.file_name == name; });
    if (same != sources.end()) {
      same->urls.push_back(mirror);
    } else {
      check<ConfigError>(name != "." && name != "..", "mirror '{}': no file name stands at its end", mirror);
      own.push_back({name, {mirror}, {}});
    }
  }
  if (!own.empty()) return own;
  for (std::size_t i = 0; i < sources.size(); ++i) sources[i].urls.push_back(known[i].url);
  check<ConfigError>(!sources.empty(),
                     "no address is known for the set '{}': give that of an archive with --mirror URL", set);
  return sources;
}

std::vector<std::string> read_mirrors(const fs::path& file, const std::string& set) {
  try {
    const json object = read_json(file);
    for (const auto& [name, mirrors] : object.get<std::map<std::string, std::vector<std::string>>>()) {
      if (is_same_name(name, set)) return mirrors;
    }
  } catch (const json::exception& error) {
    throw FormatError(fmt::format("{}: expected {{\"SET\": [\"https://…\"]}} ({})", file.string(), error.what()));
  }
  return {};
}

void fetch_dataset(const FetchRequest& request) {
  try {
    Fetch fetch(request);
    for (const FetchSource& source : request.sources) fetch.run(source);
  } catch (const fs::filesystem_error& error) {
    throw IoError(fmt::format("{}; check the folder and the disk", error.what()));
  }
}

}  // namespace domainfusion
