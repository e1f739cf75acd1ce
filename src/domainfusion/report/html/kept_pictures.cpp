#include "domainfusion/report/html/kept_pictures.h"

#include <algorithm>
#include <map>
#include <string>

#include "domainfusion/core/json_context.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/json_file.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kRoundPicturePx = 96, kSheetPx = 640;
constexpr const char* kRoundPictures = "pictures of rounds";

// Null where the picture was not made or does not fit.
json picture_of(const fs::path& file, ReportPictures& pictures, const char* section = kRoundPictures,
                int side_px = kRoundPicturePx) {
  if (!fs::exists(file)) return nullptr;
  const auto place = pictures.add(section, file.string(), side_px, [&] { return read_image(file); });
  return place ? json(*place) : json();
}

// "candidates" lists those that did not fail; similarities have one entry for each of them.
json candidates_of(const json& row, const fs::path& folder, ReportPictures& pictures) {
  const auto usable = row.at("candidates").get<std::vector<std::int64_t>>();
  const json none = json::array();
  json list = json::array();
  for (std::int64_t i = 0; i < std::ssize(row.at("prompts")); ++i) {
    const auto place = std::find(usable.begin(), usable.end(), i) - usable.begin();
    const auto similarity = [&](const char* name) {
      const json& values = row.contains(name) ? row.at(name) : none;
      return place < std::ssize(values) ? values.at(static_cast<std::size_t>(place)) : json();
    };
    list.push_back({{"prompt", row.at("prompts").at(static_cast<std::size_t>(i))},
                    {"failed", place == std::ssize(usable)},
                    {"gives_style", row.at("style_candidate") == i},
                    {"gives_content", row.at("content_candidate") == i},
                    {"style_similarity", similarity("style_similarities")},
                    {"content_similarity", similarity("content_similarities")},
                    {"picture", picture_of(folder / fmt::format("candidate-{}.png", i), pictures)}});
  }
  return list;
}

json row_of(const json& row, const fs::path& round, ReportPictures& pictures) {
  const fs::path folder = round / fs::path(row.at("folder").get<std::string>()).filename();
  const fs::path made = folder / "made.png";
  return {{"file", row.at("parent")},
          {"class", row.at("class_name")},
          {"domain", row.at("domain_name")},
          {"made", fs::exists(made)},
          {"pictures",
           {{"raw", picture_of(folder / "raw.png", pictures)},
            {"before", picture_of(folder / "x.png", pictures)},
            {"vae", picture_of(folder / "round_trip.png", pictures)},
            {"made", picture_of(made, pictures)}}},
          {"candidates", candidates_of(row, folder, pictures)},
          {"figures", row.value("made", json())}};
}

std::vector<fs::path> rounds_in(const fs::path& folder) {
  std::vector<fs::path> rounds;
  std::error_code none;
  for (fs::directory_iterator entry(folder, none), end; !none && entry != end; entry.increment(none))
    if (fs::exists(entry->path() / "pictures.json")) rounds.push_back(entry->path());
  std::sort(rounds.begin(), rounds.end());
  return rounds;
}

}  // namespace

json round_gallery(const fs::path& run, ReportPictures& pictures) {
  json gallery = json::array();
  for (const fs::path& round : rounds_in(run / "synthetic" / "pictures")) {
    try {
      json rows = json::array();
      with_json_context(fmt::format("'{}'", (round / "pictures.json").string()), [&] {
        for (const json& row : read_json(round / "pictures.json")) rows.push_back(row_of(row, round, pictures));
      });
      pictures.spend(static_cast<double>(json_text(rows).size()));
      gallery.push_back({{"round", round.filename().string()}, {"rows", std::move(rows)}});
    } catch (const Error& error) {
      log_warning("left out of the report: {}", error.what());
    }
  }
  return gallery;
}

json ldm_samples(const fs::path& ldm, ReportPictures& pictures) {
  std::map<std::string, fs::path> last;  // by kind
  std::error_code none;
  for (fs::directory_iterator entry(ldm / "pictures", none), end; !none && entry != end; entry.increment(none)) {
    const std::string name = entry->path().filename().string();
    const auto border = name.find('_');
    if (border == std::string::npos || entry->path().extension() != ".png") continue;
    fs::path& file = last[name.substr(0, border)];
    file = std::max(file, entry->path());
  }
  json samples = json::array();
  for (const auto& [kind, file] : last) {
    try {
      samples.push_back(
          {{"file", file.filename().string()}, {"picture", picture_of(file, pictures, "samples of LDMs", kSheetPx)}});
    } catch (const Error& error) {
      log_warning("left out of the report: {}", error.what());
    }
  }
  return samples;
}

}  // namespace domainfusion
