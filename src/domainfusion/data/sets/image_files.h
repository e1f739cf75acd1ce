#pragma once
// Which files of a folder are pictures, and which folders hold none by their nature.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace domainfusion {

// What a walk through folders does not take, for the remarks about it.
struct PassedOver {
  std::vector<std::string> folders;             // hidden ones, and those that systems make: "set/photo/@eaDir"
  std::vector<std::string> loops;               // links that lead back to a folder above them
  std::vector<std::string> broken_links;        // to nothing, and not of a picture's name
  std::map<std::string, std::int64_t> endings;  // pictures in formats that are not read: {".tif", 3}

  // "2 folders of the system: set/__MACOSX, …", and so on for each kind that there is.
  std::vector<std::string> sentences() const;
};

struct FolderEntries {
  std::vector<std::string> folders, files;  // names in byte order, links followed
};

// What lies in `folder` but for names that begin with a dot and folders that systems and programs put beside people's
// own (__MACOSX, lost+found, @eaDir, …). IoError if it cannot be listed, FormatError for a name that is not UTF-8.
FolderEntries entries_of(const std::filesystem::path& folder, PassedOver& passed_over);

// Whether a file counts as a picture: by its ending, those of torchvision's ImageFolder, .jfif and .jpe. One whose
// ending is that of a format that is not read counts where its content is another; else it is passed over.
bool is_picture(const std::filesystem::path& file, PassedOver& passed_over);

// Paths of all pictures below `root`, relative to it with '/' between the parts, in byte order; links are followed.
// What is passed over is logged. IoError if a folder cannot be listed, FormatError for a name that is not UTF-8.
std::vector<std::string> image_files_below(const std::filesystem::path& root);

}  // namespace domainfusion
