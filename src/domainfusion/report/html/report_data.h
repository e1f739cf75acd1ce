#pragma once
// Everything that a page shows, as one JSON object (docs/report-format.md).

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <vector>

namespace domainfusion {

struct ReportRequest {
  std::vector<std::filesystem::path> folders;  // run folders, or folders below which runs are looked for
  double max_mb = 20;                          // of the page
  bool ask_models = true;                      // of the runs that `folders` names themselves
  std::int64_t most_images = 2000;             // of a domain, that a model is asked about
};

// Models that are asked are opened with their images (RunLooks); runs that are found below other folders are shown from
// their records. Runs that cannot be read are named in "unreadable", and a folder without
// runs is said to be one. IoError if a folder is missing.
nlohmann::json report_data(const ReportRequest& request);

}  // namespace domainfusion
