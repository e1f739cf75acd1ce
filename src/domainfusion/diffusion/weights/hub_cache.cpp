#include "domainfusion/diffusion/weights/hub_cache.h"

#include <algorithm>
#include <tuple>
#include <vector>

#include "domainfusion/core/error.h"
#include "domainfusion/io/files/file_bytes.h"
#include "domainfusion/io/files/readable_text.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

fs::path main_snapshot(const fs::path& folder) {
  std::string revision = read_file(folder / "refs/main");
  revision.erase(revision.find_last_not_of(" \r\n\t") + 1);
  const bool plain = !revision.empty() && revision.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
  check<FormatError>(plain, "refs/main holds '{}'; expected the name of a snapshot", readable_text(revision));
  const fs::path snapshot = folder / "snapshots" / revision;
  check<IoError>(fs::is_directory(snapshot), "refs/main names the snapshot {}, which is not there; fetch it again",
                 revision);
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

}  // namespace

bool is_hub_cache(const fs::path& folder) { return fs::is_directory(folder / "snapshots"); }

fs::path hub_snapshot(const fs::path& folder, const std::function<bool(const fs::path&)>& is_whole) {
  return fs::exists(folder / "refs/main") ? main_snapshot(folder) : latest_snapshot(folder, is_whole);
}

}  // namespace domainfusion
