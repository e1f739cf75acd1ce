#include "domainfusion/data/sets/image_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "domainfusion/core/error.h"
#include "domainfusion/core/json_text.h"
#include "domainfusion/core/log.h"
#include "domainfusion/io/files/open_file.h"
#include "domainfusion/io/images/image.h"

namespace domainfusion {
namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kReadEndings{".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp"};
// ImageFolder takes these too.
constexpr std::array<std::string_view, 5> kOtherEndings{".bmp", ".pgm", ".ppm", ".tif", ".tiff"};
constexpr std::array<std::string_view, 12> kForeignEndings{".avif", ".dng", ".eps", ".gif", ".heic", ".heif",
                                                           ".ico",  ".jp2", ".jxl", ".psd", ".svg",  ".tga"};
constexpr std::array<std::string_view, 15> kSystemFolders{"#recycle",
                                                          "#snapshot",
                                                          "$RECYCLE.BIN",
                                                          "@Recently-Snapshot",
                                                          "@Recycle",
                                                          "@__thumb",
                                                          "@eaDir",
                                                          "@tmp",
                                                          "Network Trash Folder",
                                                          "RECYCLER",
                                                          "System Volume Information",
                                                          "Temporary Items",
                                                          "__MACOSX",
                                                          "__pycache__",
                                                          "lost+found"};
constexpr std::size_t kNamedFolders = 5;

bool is_one_of(const auto& name, const auto& names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string lower_ending(const fs::path& path) {
  std::string ending = path.extension().string();
  for (char& c : ending) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return ending;
}

void check_file_name(const fs::path& path) {
  try {
    static_cast<void>(json_text(path.string()));
  } catch (const nlohmann::json::exception&) {
    throw FormatError(fmt::format("{}: the name is not UTF-8; rename it", path.string()));
  }
}

// A file that cannot be opened counts as well: whoever reads it says so.
bool has_readable_content(const fs::path& path) {
  try {
    std::array<char, 12> first{};
    const std::size_t size = OpenFile(path).read(first.data(), first.size());
    return is_decodable({first.data(), size});
  } catch (const IoError&) {
    return true;
  }
}

std::string some_of(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kNamedFolders);
  return fmt::format("{}{}", fmt::join(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                     shown < names.size() ? ", …" : "");
}

class PictureWalk {
 public:
  explicit PictureWalk(const fs::path& root) : root_(root) { walk(root); }

  std::vector<std::string> files;
  PassedOver passed_over;

 private:
  void walk(const fs::path& folder) {
    struct stat status {};
    if (::stat(folder.c_str(), &status) == 0) {
      const std::pair id{status.st_dev, status.st_ino};
      if (is_one_of(id, above_)) return passed_over.loops.push_back(folder.string());
      above_.push_back(id);
    } else {
      above_.emplace_back();
    }
    const FolderEntries entries = entries_of(folder, passed_over);
    for (const std::string& name : entries.files) {
      if (is_picture(folder / name, passed_over))
        files.push_back((folder / name).lexically_relative(root_).generic_string());
    }
    for (const std::string& name : entries.folders) walk(folder / name);
    above_.pop_back();
  }

  fs::path root_;
  std::vector<std::pair<dev_t, ino_t>> above_;  // the folders that the walk is in
};

}  // namespace

std::vector<std::string> PassedOver::sentences() const {
  std::vector<std::string> texts;
  if (!folders.empty()) {
    texts.push_back(
        fmt::format("passed over {} folder(s) that are hidden or of the system: {}", folders.size(), some_of(folders)));
  }
  if (!loops.empty()) {
    texts.push_back(
        fmt::format("{} link(s) to a folder above them are not followed: {}", loops.size(), some_of(loops)));
  }
  if (!broken_links.empty())
    texts.push_back(fmt::format("{} link(s) lead to nothing: {}", broken_links.size(), some_of(broken_links)));
  if (!endings.empty()) {
    std::vector<std::string> counts;
    for (const auto& [ending, count] : endings) counts.push_back(fmt::format("{} {}", count, ending));
    texts.push_back(
        fmt::format("left out: {}; JPEG, PNG and WebP files are read, by the endings .jpg, .jpeg, .jpe, .jfif, .png "
                    "and .webp: convert the others",
                    fmt::join(counts, ", ")));
  }
  return texts;
}

FolderEntries entries_of(const fs::path& folder, PassedOver& passed_over) {
  FolderEntries found;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    std::error_code dangling;
    const bool is_folder = entry->is_directory(dangling);
    if (name.starts_with('.') || (is_folder && is_one_of(name, kSystemFolders))) {
      if (is_folder) passed_over.folders.push_back(entry->path().string());
      continue;
    }
    const bool leads_nowhere = !is_folder && entry->is_symlink(dangling) && !fs::exists(entry->path(), dangling);
    if (leads_nowhere && !is_one_of(lower_ending(name), kReadEndings)) {
      passed_over.broken_links.push_back(entry->path().string());
      continue;
    }
    (is_folder ? found.folders : found.files).push_back(name);
  }
  check<IoError>(!error, "{}: cannot be listed: {}", folder.string(), error.message());
  std::sort(found.folders.begin(), found.folders.end());
  std::sort(found.files.begin(), found.files.end());
  for (const std::string& name : found.folders) check_file_name(folder / name);
  for (const std::string& name : found.files) check_file_name(folder / name);
  return found;
}

bool is_picture(const fs::path& file, PassedOver& passed_over) {
  const std::string ending = lower_ending(file);
  if (is_one_of(ending, kReadEndings)) return true;
  const bool other = is_one_of(ending, kOtherEndings);
  if (other && has_readable_content(file)) return true;
  if (other || is_one_of(ending, kForeignEndings)) ++passed_over.endings[ending];
  return false;
}

std::vector<std::string> image_files_below(const fs::path& root) {
  PictureWalk walk(root);
  for (const std::string& sentence : walk.passed_over.sentences()) log_warning("{}: {}", root.string(), sentence);
  std::sort(walk.files.begin(), walk.files.end());
  return std::move(walk.files);
}

}  // namespace domainfusion
