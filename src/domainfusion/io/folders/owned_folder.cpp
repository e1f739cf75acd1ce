#include "domainfusion/io/folders/owned_folder.h"

#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";

// Where a result lies that is being overwritten. Its marker goes there first and comes back last, so that a kill at any
// moment leaves one of three states:
//   the marker here and none outside: it was on its way here or back, and all of it goes back;
//   one here and one outside: the new result was begun and not kept; it is removed, and the old one goes back;
//   none here: what is here is not wanted any more.
constexpr const char* kReplaced = ".replaced";

template <class Action>
void attempt(Action action) {
  try {
    action();
  } catch (const fs::filesystem_error& error) {
    throw IoError(fmt::format("'{}' cannot be moved or removed: {}; check who may write there", error.path1().string(),
                              error.code().message()));
  }
}

// Whether the folder was not there.
bool make_folder(const fs::path& path, const std::string& subject) {
  std::error_code error;
  for (fs::path part = path; !part.empty(); part = part.parent_path()) {
    check<IoError>(!fs::exists(part, error) || fs::is_directory(part, error),
                   "{} '{}': '{}' is a file, not a folder; choose another --out", subject, path.string(),
                   part.string());
    if (part == part.parent_path()) break;
  }
  const bool made = fs::create_directories(path, error);
  check<IoError>(!error, "{} '{}' cannot be made: {}; choose a writable place for --out", subject, path.string(),
                 error.message());
  return made;
}

// At once, so that they may be moved meanwhile.
std::vector<fs::path> names_in(const fs::path& folder) {
  std::vector<fs::path> names;
  for (const auto& entry : fs::directory_iterator(folder)) names.push_back(entry.path().filename());
  return names;
}

void remove_partial_files_of(const fs::path& folder) {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (is_partial_file(entry.path())) fs::remove(entry.path(), ignored);
  }
}

}  // namespace

OwnedFolder::OwnedFolder(fs::path path, FolderMode mode, Kind kind)
    : path_(fs::absolute(std::move(path)).lexically_normal()), kind_(std::move(kind)) {
  made_ = make_folder(path_, kind_.subject);
  check_law(mode);  // before a lock is left in a folder of other things
  lock_.emplace(path_, fmt::format("{} '{}'", kind_.subject, path_.string()));
  check_law(mode);
  attempt([&] { put_back(); });
  remove_partial_files();
  resumed_ = mode == FolderMode::kResume && is_of_kind();
  if (mode == FolderMode::kOverwrite && is_of_kind()) attempt([&] { set_aside(); });
}

OwnedFolder::~OwnedFolder() {
  if (kept_ || resumed_) return;
  try {
    if (fs::exists(path_ / kReplaced / kind_.marker)) {
      put_back();
      return;
    }
    remove_content();
    fs::remove(path_ / kLock);
    if (made_) fs::remove(path_);
  } catch (const fs::filesystem_error&) {
    // The next opening tries again.
  }
}

nlohmann::json OwnedFolder::description() const { return read_json_object(path_ / kind_.marker); }

void OwnedFolder::begin(const nlohmann::json& description) {
  write_file_atomically(path_ / kind_.marker, json_text(description, 2) + "\n");
}

void OwnedFolder::begin_or_continue(const nlohmann::json& description, nlohmann::json before) {
  if (!resumed_) return begin(description);
  before.update(this->description(), /*merge_objects=*/true);
  const std::string differences = json_differences(before, description);
  check<ConfigError>(differences.empty(),
                     "{} '{}' was begun with other options: {}; give it those again, or choose another --out",
                     kind_.subject, path_.string(), differences);
}

void OwnedFolder::keep() {
  kept_ = true;
  attempt([&] {
    fs::remove(path_ / kReplaced / kind_.marker);
    fs::remove_all(path_ / kReplaced);
  });
}

bool OwnedFolder::is_of_kind() const {
  return fs::exists(path_ / kind_.marker) || fs::exists(path_ / kReplaced / kind_.marker);
}

bool OwnedFolder::holds_nothing() const {
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.path().filename() != kLock && !is_partial_file(entry.path())) return false;
  }
  return true;
}

void OwnedFolder::check_law(FolderMode mode) const {
  if (holds_nothing()) return;
  check<ConfigError>(
      is_of_kind(),
      "'{}' is not empty and holds no {}: it is no {}, and nothing there is touched; choose another --out",
      path_.string(), kind_.marker, kind_.subject);
  check<ConfigError>(mode != FolderMode::kNew,
                     "{} '{}' is not empty: pass --resume to continue what was begun there, --overwrite to start it "
                     "anew, or choose another --out",
                     kind_.subject, path_.string());
}

void OwnedFolder::remove_partial_files() const {
  remove_partial_files_of(path_);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const bool others = fs::exists(entry.path() / kLock, ignored);
    if (entry.is_directory(ignored) && !entry.is_symlink(ignored) && !others) remove_partial_files_of(entry.path());
  }
}

void OwnedFolder::set_aside() const {
  const fs::path aside = path_ / kReplaced;
  fs::create_directory(aside);
  try {
    fs::rename(path_ / kind_.marker, aside / kind_.marker);
    for (const fs::path& name : names_in(path_)) {
      if (name != kLock && name != kReplaced) fs::rename(path_ / name, aside / name);
    }
  } catch (const fs::filesystem_error&) {
    put_back();
    throw;
  }
}

void OwnedFolder::put_back() const {
  const fs::path aside = path_ / kReplaced;
  if (fs::exists(aside / kind_.marker)) {
    if (fs::exists(path_ / kind_.marker)) remove_content();
    for (const fs::path& name : names_in(aside)) {
      if (name != kind_.marker) fs::rename(aside / name, path_ / name);
    }
    fs::rename(aside / kind_.marker, path_ / kind_.marker);
  }
  fs::remove_all(aside);
}

// But for what was set aside and the lock; the marker last.
void OwnedFolder::remove_content() const {
  for (const fs::path& name : names_in(path_)) {
    if (name != kLock && name != kReplaced && name != kind_.marker) fs::remove_all(path_ / name);
  }
  fs::remove(path_ / kind_.marker);
}

}  // namespace domainfusion
