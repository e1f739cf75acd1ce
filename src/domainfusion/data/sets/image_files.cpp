#include "domainfusion/data/sets/image_files.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::array kEndings{".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp"};

}  // namespace

bool has_image_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end();
}

void check_file_name(const fs::path& path) {
  try {
    static_cast<void>(json_text(path.string()));
  } catch (const nlohmann::json::exception&) {
    throw FormatError(fmt::format("{}: the name is not UTF-8; rename it", path.string()));
  }
}

std::vector<std::string> image_files_below(const fs::path& root) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    const fs::path& path = entry->path();
    if (path.filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && has_image_ending(path)) {
      check_file_name(path);
      files.push_back(path.lexically_relative(root).generic_string());
    }
  }
  check<IoError>(!error, "{}: cannot be listed: {}", root.string(), error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace domainfusion
