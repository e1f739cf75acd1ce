#include "domainfusion/fetch/cache/hub_cache.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/readable_text.h"
#include "domainfusion/io/folders/user_folders.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHexadecimal = "0123456789abcdefABCDEF";
constexpr std::string_view kNameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
constexpr std::size_t kLongestName = 96, kLongestRevision = 250;

// The snapshot that a file in refs/ names.
fs::path named_snapshot(const fs::path& folder, const std::string& revision) {
  const std::string ref = "refs/" + revision;
  std::string commit = read_file(folder / ref);
  commit.erase(commit.find_last_not_of(" \r\n\t") + 1);
  const bool plain = !commit.empty() && commit.find_first_not_of(kHexadecimal) == std::string::npos;
  check<FormatError>(plain, "{} holds '{}'; expected the name of a snapshot", ref, readable_text(commit));
  const fs::path snapshot = folder / "snapshots" / commit;
  check<IoError>(fs::is_directory(snapshot), "{} names the snapshot {}, which is not there; fetch it again", ref,
                 commit);
  return snapshot;
}

fs::path latest_snapshot(const fs::path& folder, const std::function<bool(const fs::path&)>& is_whole) {
  struct Snapshot {
    bool whole;
    fs::file_time_type time;
    fs::path path;
    auto rank() const { return std::tie(whole, time, path); }
  };
  std::vector<Snapshot> snapshots;
  for (const auto& entry : fs::directory_iterator(folder / "snapshots")) {
    if (entry.is_directory()) snapshots.push_back({is_whole(entry.path()), entry.last_write_time(), entry.path()});
  }
  check<IoError>(!snapshots.empty(), "its snapshots/ is empty; fetch the model again");
  return std::max_element(snapshots.begin(), snapshots.end(),
                          [](const Snapshot& a, const Snapshot& b) { return a.rank() < b.rank(); })
      ->path;
}

// One part of "OWNER/NAME".
bool is_hub_word(std::string_view word) {
  return !word.empty() && word.size() <= kLongestName && word.find_first_not_of(kNameCharacters) == word.npos &&
         word.find("..") == word.npos && word.find("--") == word.npos && word.front() != '.' && word.front() != '-';
}

// A branch, tag or commit that is a file's path below refs/.
bool is_revision(std::string_view revision) {
  if (revision.empty() || revision.size() > kLongestRevision || revision.front() == '/' || revision.back() == '/')
    return false;
  const bool plain = revision.find_first_not_of(std::string(kNameCharacters) + "/") == revision.npos;
  return plain && revision.find("..") == revision.npos && revision.find("//") == revision.npos &&
         revision.find("/.") == revision.npos && revision.front() != '.';
}

}  // namespace

std::string HubRepository::text() const { return "hf:" + name + (revision == "main" ? "" : "@" + revision); }

std::string HubRepository::folder() const {
  const std::size_t slash = name.find('/');
  return "models--" + (slash == std::string::npos ? name : name.substr(0, slash) + "--" + name.substr(slash + 1));
}

std::optional<HubRepository> parse_hub_name(std::string_view text) {
  constexpr std::string_view kBegin = "hf:";
  if (!text.starts_with(kBegin)) return std::nullopt;
  const std::string_view rest = text.substr(kBegin.size());
  const std::size_t at = rest.find('@');
  HubRepository repository{std::string(rest.substr(0, at))};
  if (at != std::string_view::npos) repository.revision = rest.substr(at + 1);
  const std::string& name = repository.name;
  const std::size_t slash = name.find('/');
  const bool good = slash == std::string::npos
                        ? is_hub_word(name)
                        : is_hub_word(name.substr(0, slash)) && is_hub_word(name.substr(slash + 1));
  check<ConfigError>(good && is_revision(repository.revision),
                     "'{}' is no model of the hub; expected hf:OWNER/NAME or hf:OWNER/NAME@REVISION",
                     readable_text(text));
  return repository;
}

bool is_commit(std::string_view revision) {
  constexpr std::size_t kDigits = 40;
  return revision.size() == kDigits && revision.find_first_not_of(kHexadecimal) == revision.npos;
}

fs::path hub_home() {
  if (const auto home = environment_folder("HF_HOME")) return *home;
  const auto caches = user_cache_folder();
  check<ConfigError>(caches.has_value(), "no home folder: set HF_HOME to a folder for what is fetched");
  return *caches / "huggingface";
}

fs::path hub_cache_folder() { return environment_folder("HF_HUB_CACHE").value_or(hub_home() / "hub"); }

bool is_hub_cache(const fs::path& folder) { return fs::is_directory(folder / "snapshots"); }

fs::path hub_snapshot(const fs::path& folder, const std::function<bool(const fs::path&)>& is_whole) {
  return fs::exists(folder / "refs/main") ? named_snapshot(folder, "main") : latest_snapshot(folder, is_whole);
}

std::optional<fs::path> find_snapshot(const fs::path& cache, const HubRepository& repository) {
  const fs::path folder = cache / repository.folder();
  const fs::path snapshot = folder / "snapshots" / repository.revision;
  if (is_commit(repository.revision) && fs::is_directory(snapshot)) return snapshot;
  if (!fs::is_regular_file(folder / "refs" / repository.revision)) return std::nullopt;
  return with_context(folder.string(), [&] { return named_snapshot(folder, repository.revision); });
}

}  // namespace domainfusion
