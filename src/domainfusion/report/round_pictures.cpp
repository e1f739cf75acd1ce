#include "domainfusion/report/round_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/io/files/file_bytes.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A candidate that failed, or an image that was not made, leaves its cell empty.
Image image_if_there(const fs::path& path) { return fs::exists(path) ? read_image(path) : Image{}; }

// "photo realistic" of "a cat, photo realistic": what the candidate was asked to look like.
std::string asked_domain(const std::string& prompt) {
  const auto comma = prompt.find(", ");
  return comma == std::string::npos ? prompt : prompt.substr(comma + 2);
}

std::string candidate_caption(const json& row, std::int64_t candidate) {
  std::string roles;
  if (row.at("style_candidate") == candidate) roles += "*style";
  if (row.at("content_candidate") == candidate) roles += roles.empty() ? "*content" : "+content";
  return roles.empty() ? asked_domain(row.at("prompts").at(static_cast<std::size_t>(candidate))) : roles;
}

PictureGridRow grid_row(const fs::path& folder, const json& row) {
  PictureGridRow cells;
  cells.caption =
      fmt::format("{} {}", row.at("domain_name").get<std::string>(), row.at("class_name").get<std::string>());
  const fs::path pictures = folder / row.at("folder").get<std::string>();
  for (const char* name : {"raw.png", "x.png", "round_trip.png"})
    cells.cells.push_back({read_image(pictures / name), ""});
  const auto candidates = static_cast<std::int64_t>(row.at("prompts").size());
  for (std::int64_t i = 0; i < candidates; ++i) {
    cells.cells.push_back({image_if_there(pictures / fmt::format("candidate-{}.png", i)), candidate_caption(row, i)});
  }
  cells.cells.push_back({image_if_there(pictures / "made.png"), ""});
  return cells;
}

}  // namespace

PictureGrid round_picture_grid(const fs::path& folder) {
  return with_context(folder.string(), [&] {
    const json rows = try_parse_json(read_file(folder / "pictures.json")).value_or(nullptr);
    check<FormatError>(rows.is_array() && !rows.empty(), "pictures.json is no list of pictures");
    PictureGrid grid;
    grid.title = folder.filename().string();
    grid.column_captions = {"raw", "x", "VAE only"};
    try {
      for (const json& row : rows) grid.rows.push_back(grid_row(folder, row));
    } catch (const json::exception& error) {
      throw FormatError(fmt::format("pictures.json: {}", error.what()));
    }
    for (std::size_t i = 4; i < grid.rows.front().cells.size(); ++i) {
      grid.column_captions.push_back(fmt::format("candidate {}", i - 4));
    }
    grid.column_captions.push_back("new image");
    return grid;
  });
}

std::vector<fs::path> write_round_pictures(const fs::path& synthetic, const fs::path& out) {
  std::vector<fs::path> folders, files;
  if (fs::exists(synthetic / "pictures")) {
    for (const auto& entry : fs::directory_iterator(synthetic / "pictures")) {
      if (fs::exists(entry.path() / "pictures.json")) folders.push_back(entry.path());
    }
  }
  std::sort(folders.begin(), folders.end());
  for (const fs::path& folder : folders) {
    fs::create_directories(out);
    files.push_back(out / (folder.filename().string() + ".png"));
    write_picture_grid(files.back(), round_picture_grid(folder));
  }
  return files;
}

}  // namespace domainfusion
