#include "domainfusion/cli/doctor/storage_checks.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/atomic_file.h"
#include "domainfusion/io/folders/folder_lock.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWritten = 64 << 20;

// A folder of this process alone, removed at the end.
struct TrialFolder {
  explicit TrialFolder(const fs::path& place) : path(place / fmt::format(".domainfusion-doctor-{}", ::getpid())) {
    std::error_code error;
    fs::create_directory(path, error);
    check<IoError>(!error, "nothing can be made here: {}", error.message());
  }
  ~TrialFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  fs::path path;
};

double mib_per_second(const fs::path& folder) {
  const std::string bytes(kWritten, 'x');
  const auto start = std::chrono::steady_clock::now();
  write_file_atomically(folder / "written", bytes);
  return 64 / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

bool locks_hold(const fs::path& folder) {
  const FolderLock held(folder, "doctor's folder");
  try {
    const FolderLock second(folder, "doctor's folder");
    return false;
  } catch (const IoError&) {
    return true;
  }
}

bool links_work(const fs::path& folder) {
  std::error_code error;
  fs::create_hard_link(folder / "written", folder / "linked", error);
  return !error && fs::hard_link_count(folder / "written", error) == 2 && !error;
}

}  // namespace

Finding check_folder(const fs::path& folder, const std::string& use) {
  Finding finding{fmt::format("{} ({})", folder.string(), use), Severity::kGood, "", ""};
  try {
    const double free_gib = static_cast<double>(fs::space(folder).available) / kGib;
    const TrialFolder trial(folder);
    const double speed = mib_per_second(trial.path);
    const bool locks = locks_hold(trial.path), links = links_work(trial.path);
    finding.text = fmt::format("{:.1f} GiB free, {:.0f} MiB/s written, locks {}, links {}", free_gib, speed,
                               locks ? "hold" : "do not hold", links ? "work" : "do not work");
    if (!locks) {
      finding.severity = Severity::kFault;
      finding.remedy =
          "two runs in one folder would not notice each other: mount it with locks (NFS: without nolock), or use "
          "another folder";
    } else if (free_gib < 1) {
      finding.severity = Severity::kWarning;
      finding.remedy = "less than 1 GiB is free: remove something, or use another disk";
    } else if (speed < 20) {
      finding.severity = Severity::kWarning;
      finding.remedy = "under 20 MiB/s: checkpoints and stores will be waited for; use a local disk";
    } else if (!links) {
      finding.severity = Severity::kWarning;
      finding.remedy = "without hard links exported folders are copies; a file system with them saves the room";
    }
  } catch (const Error& error) {
    finding.severity = Severity::kFault;
    finding.text = error.what();
    finding.remedy = "give this user the right to write there and room for it, or use another folder";
  } catch (const fs::filesystem_error& error) {
    finding.severity = Severity::kFault;
    finding.text = error.code().message();
    finding.remedy = "make the folder, or name another one";
  }
  return finding;
}

}  // namespace domainfusion
