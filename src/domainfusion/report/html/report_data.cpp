#include "domainfusion/report/html/report_data.h"

#include <algorithm>
#include <map>
#include <set>

#include "domainfusion/core/code_version.h"
#include "domainfusion/core/json_context.h"
#include "domainfusion/evaluation/tables/system_names.h"
#include "domainfusion/report/html/kept_pictures.h"
#include "domainfusion/report/html/looks_data.h"
#include "domainfusion/report/html/page.h"
#include "domainfusion/report/html/run_data.h"
#include "domainfusion/report/html/sweep_data.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::size_t kMostPointsOfCurve = 1500, kMostPointsOfCurves = 60'000;

// One a folder: averages and DSI are other systems of the same run. Runs of DomainBed may share a file.
std::vector<const ProtocolRun*> first_of_each_run(const std::vector<ProtocolRun>& runs) {
  std::vector<const ProtocolRun*> first;
  std::set<fs::path> seen;
  for (const ProtocolRun& run : runs)
    if (seen.insert(run.path).second || !run.config.is_object()) first.push_back(&run);
  return first;
}

// What tells the runs apart: their paths without the folders that all are in.
std::vector<std::string> names_of_runs(const std::vector<const ProtocolRun*>& runs) {
  std::vector<fs::path> paths;
  for (const ProtocolRun* run : runs) paths.push_back(fs::absolute(run->path / "").lexically_normal().parent_path());
  fs::path common = paths.empty() ? fs::path() : paths.front().parent_path();
  for (const fs::path& path : paths) {
    while (common.has_relative_path() && *path.lexically_relative(common).begin() == "..")
      common = common.parent_path();
  }
  std::vector<std::string> names;
  for (const fs::path& path : paths) names.push_back(path.lexically_relative(common).generic_string());
  return names;
}

std::size_t points_of_curve(std::size_t runs) {
  return std::clamp(kMostPointsOfCurves / std::max<std::size_t>(runs, 1), std::size_t{60}, kMostPointsOfCurve);
}

bool is_named(const ProtocolRun& run, const std::vector<fs::path>& folders) {
  const auto plain = [](const fs::path& path) { return fs::absolute(path / "").lexically_normal(); };
  return std::any_of(folders.begin(), folders.end(),
                     [&](const fs::path& folder) { return plain(folder) == plain(run.path); });
}

// What the page takes without pictures; those get the rest of `max_mb`.
double picture_bytes(const json& data, double max_mb) {
  return max_mb * 1e6 - static_cast<double>(report_page(data).size());
}

}  // namespace

json report_data(const ReportRequest& request) {
  FoundRuns found = find_runs(request.folders);
  tell_sets_apart(found.runs);
  tell_systems_apart(found.runs);
  const std::vector<const ProtocolRun*> runs = first_of_each_run(found.runs);
  const std::vector<std::string> names = names_of_runs(runs);
  json folders = json::array(), entries = json::array(), unreadable = found.unreadable;
  for (const fs::path& folder : request.folders) folders.push_back(folder.string());
  std::map<std::size_t, RunLooks> looks;  // by entry
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const ProtocolRun& run = *runs[i];
    try {
      json entry = with_json_context(fmt::format("'{}'", run.path.string()),
                                     [&] { return run_data(run, points_of_curve(runs.size())); });
      entry["name"] = names[i];
      if (run.config.is_object() && request.ask_models && is_named(run, request.folders)) {
        const RunLooks& look =
            looks.try_emplace(entries.size(), run.path, run.finished, request.most_images).first->second;
        entry["looks"] = look.data();
      }
      entries.push_back(std::move(entry));
    } catch (const Error& error) {
      unreadable.emplace_back(error.what());
    }
  }
  json data = {{"format", 1},        {"program", "domainfusion " + code_version()},
               {"folders", folders}, {"max_mb", request.max_mb},
               {"runs", entries},    {"unreadable", unreadable}};
  data.update(sweep_data(found.runs));
  ReportPictures pictures(picture_bytes(data, request.max_mb));
  for (auto& [entry, look] : looks) {
    look.add_pictures(pictures);
    data["runs"][entry]["looks"] = look.data();
  }
  for (json& run : data["runs"]) {
    if (!run.contains("ldm")) continue;
    run["gallery"] = round_gallery(run.at("path").get<std::string>(), pictures);
    if (run.at("options").contains("ldm"))
      run["ldm"]["samples"] = ldm_samples(run.at("options").at("ldm").get<std::string>(), pictures);
  }
  data["pictures"] = pictures.files();
  data["left_out"] = pictures.left_out();
  return data;
}

}  // namespace domainfusion
