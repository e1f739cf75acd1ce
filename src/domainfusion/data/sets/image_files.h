#pragma once
// Which files of a folder are pictures.

#include <filesystem>
#include <string>
#include <vector>

namespace domainfusion {

// Whether torchvision's ImageFolder takes a file of this name. Not all of these formats can be decoded here: a file of
// such a name counts as a picture and is named when it is read.
bool has_image_ending(const std::filesystem::path& path);

// FormatError if the name is not UTF-8, which no JSON line could hold.
void check_file_name(const std::filesystem::path& path);

// Paths of all pictures below `root`, relative to it with '/' between the parts, in byte order; names that begin with a
// dot are passed over. IoError if a folder cannot be listed, FormatError for a name that is not UTF-8.
std::vector<std::string> image_files_below(const std::filesystem::path& root);

}  // namespace domainfusion
